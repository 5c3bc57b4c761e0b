/**
 * `npm run bench -- traffic` counts the bytes of tensors that are moved to the engine and from it in one step, if the arithmetic
 * between predictions is done in this process, and if it is done in the engine. The numbers do not depend on the machine.
 */
import { noise, tensor } from "../../src/core/index.ts";
import { type Model, openModel, openPredictor, sample } from "../../src/diffusion/index.ts";
import { findCheckpoint } from "../../src/diffusion/node/index.ts";
import { nodePlatform } from "../../src/diffusion/node/platform.ts";
import { Adam, ddimInversion, openReconstructionLoss, tuneStep } from "../../src/inversion/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { readOptions, text } from "../options.ts";

const GUIDANCE = 7.5;

/** Work that takes a number of steps and returns nothing else. */
type Work = (steps: number) => Promise<unknown>;

async function workOf(model: Model): Promise<Record<string, Work>> {
  const { size } = model.editing;
  const predictor = await openPredictor(model, size);
  const loss = await openReconstructionLoss(model, size);
  const [empty, context] = (await model.embed(["", "a white cat"])).map(({ tensor }) => tensor);
  const latent = noise(model.latentShape(size), 1);
  return {
    "sampling step with guidance": (steps) =>
      sample(predictor, model.schedule(steps), {
        start: latent,
        contexts: [context],
        unconditional: empty,
        guidance: GUIDANCE,
      }),
    // The trajectory comes back, which is what the inversion is for.
    "step of DDIM inversion": (steps) => {
      const trajectory = tensor([steps + 1, ...latent.shape.slice(1)]);
      return ddimInversion(predictor, model.schedule(steps), trajectory, { context, empty, guidance: 1 });
    },
    // The last iteration samples once more, in each of the runs that are compared.
    "iteration of tuning": (iterations) =>
      tuneStep({ predictor, loss }, model.schedule(10), 5, {
        tunes: "conditional",
        latent,
        wanted: noise(latent.shape, 2),
        start: context,
        fixed: empty,
        guidance: GUIDANCE,
        optimiser: new Adam(tensor([2, ...context.shape.slice(1)])),
        learningRate: 1e-3,
        iterations,
        limit: 0,
      }),
  };
}

/** Returns the bytes of one more step, to the engine and from it. */
async function bytesOf({ engine }: Model, work: Work): Promise<{ toEngine: number; fromEngine: number }> {
  const moved: { toEngine: number; fromEngine: number }[] = [];
  for (const steps of [2, 3]) {
    const before = { ...engine.traffic };
    await work(steps);
    const { toEngine, fromEngine } = engine.traffic;
    moved.push({ toEngine: toEngine - before.toEngine, fromEngine: fromEngine - before.fromEngine });
  }
  const [two, three] = moved;
  return { toEngine: three.toEngine - two.toEngine, fromEngine: three.fromEngine - two.fromEngine };
}

export async function main(args: readonly string[]): Promise<void> {
  const about = "Counts the bytes that a step moves between this process and the engine.";
  const { model: name } = readOptions("traffic", about, { model: text("NAME", "the model", "menagerie") }, args);
  const { checkpoint } = await findCheckpoint(name, {});
  for (const arithmetic of ["here", "engine"] as const) {
    const model = await openModel(checkpoint, { name, platform: nodePlatform, startEngine, arithmetic });
    try {
      for (const [what, work] of Object.entries(await workOf(model))) {
        const { toEngine, fromEngine } = await bytesOf(model, work);
        const place = arithmetic === "here" ? "in this process" : "in the engine";
        console.log(`${what}, arithmetic ${place}: ${toEngine} bytes to the engine, ${fromEngine} from it`);
      }
    } finally {
      await model.close();
    }
  }
}
