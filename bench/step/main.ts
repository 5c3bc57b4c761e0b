/**
 * `npm run bench -- step` measures the cost of a sampling step outside the U-Net. No more than that can be gained by computing
 * guidance, the DDIM step and the loss in the graph, on latents that stay in the engine.
 */
import { meanSquaredError, noise, row, stack, type Tensor } from "../../src/core/index.ts";
import { applyStep, guide, openPredictor } from "../../src/diffusion/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import * as g from "../../src/graph/index.ts";
import { readUNetConfig, timeShape, timestepSinusoids, type UNetConfig } from "../../src/models/index.ts";
import { type Feeds, loadGraph } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { median } from "../engine/measure.ts";
import { readOptions } from "../options.ts";
import { menagerie, type Size, sd15 } from "../random/graphs.ts";

const RUNS = 200;
const GUIDANCE = 7.5;

/** Median milliseconds of `work`. */
async function milliseconds(work: () => unknown, runs = RUNS): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    await work();
    all.push(performance.now() - began);
  }
  return median(all);
}

interface Rows {
  readonly latent: Tensor;
  readonly contexts: readonly Tensor[];
}

/** Returns a conditional and an unconditional row. */
function rowsOf({ side, tokens, config }: Size): Rows {
  const width = config.cross_attention_dim as number;
  return {
    latent: noise([1, 4, side, side], 1),
    contexts: [2, 3].map((seed) => noise([1, tokens, width], seed)),
  };
}

/** Inputs of the U-Net for these rows. */
const feedsOf = (config: UNetConfig, { latent, contexts }: Rows): Feeds => ({
  sample: stack([latent, latent]),
  time: timestepSinusoids(config, [500, 500]),
  context: stack(contexts),
});

/** Milliseconds of a call of a program with the inputs and outputs of a U-Net that computes almost nothing. */
async function transport(size: Size): Promise<number> {
  const config = readUNetConfig(size.config);
  const feeds = feedsOf(config, rowsOf(size));
  const sample = g.input("sample", ["B", 4, size.side, size.side]);
  const others = [g.input("time", timeShape(config, "B")), g.input("context", ["B", ...feeds.context.shape.slice(1)])];
  const read = others.map((x) => g.mean(g.slice(g.reshape(x, [1, "B", ...x.shape.slice(1)]), 0, 0, 1)));
  const engine = await startEngine();
  try {
    const session = await loadGraph(
      engine,
      { eps: read.reduce((sum, x) => g.add(sum, x), sample) },
      { name: "nothing" },
    );
    return await milliseconds(() => session.run(feeds, { finite: true }));
  } finally {
    await engine.close();
  }
}

/** Milliseconds of guidance, the DDIM step and the loss in JavaScript. */
function arithmetic(size: Size): Promise<number> {
  const { latent } = rowsOf(size);
  const output = noise([2, ...latent.shape.slice(1)], 4);
  return milliseconds(() => {
    const guided = guide(row(output, 0), row(output, 1), GUIDANCE);
    return meanSquaredError(applyStep({ sample: 1.01, output: -0.02 }, latent, guided), latent);
  });
}

/** Milliseconds of a whole call of the Menagerie with two rows. */
async function wholeCall(): Promise<number> {
  const model = await loadModel("menagerie");
  try {
    const size = { height: 128, width: 128 };
    const predictor = await openPredictor(model, size);
    const [a, b] = await model.embed(["a dog", "a cat"]);
    const latent = noise(model.latentShape(size), 1);
    const rows = [a, b].map(({ tensor }) => ({ latent, context: tensor }));
    return await milliseconds(() => predictor.predict(rows, 500), 50);
  } finally {
    await model.close();
  }
}

export async function main(args: readonly string[]): Promise<void> {
  readOptions("step", "Measures the cost of a sampling step outside the U-Net.", {}, args);
  console.log(
    "| milliseconds, two rows | arithmetic of a step | inputs, transport and output of a call | whole call |",
  );
  console.log("|---|---|---|---|");
  const whole = (await wholeCall()).toFixed(1);
  for (const [name, size, all] of [
    ["Menagerie, 16x16 latents", menagerie, whole],
    ["SD1.5, 64x64 latents", sd15, "see above"],
  ] as const) {
    console.log(
      `| ${name} | ${(await arithmetic(size)).toFixed(3)} | ${(await transport(size)).toFixed(2)} | ${all} |`,
    );
  }
}
