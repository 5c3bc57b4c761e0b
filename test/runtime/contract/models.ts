import { CancelledError, type Picture, rows, type Tensor } from "../../../src/core/index.ts";
import {
  generate,
  type Model,
  openModel,
  openPredictor,
  type Platform,
  type Schedule,
  sample,
} from "../../../src/diffusion/index.ts";
import { baret, edit, type Prepared, type PrepareWork, planPrepared, prepare } from "../../../src/editing/index.ts";
import { tensorToPicture } from "../../../src/image/index.ts";
import { openCheckpoint, readSafetensors, readTensor } from "../../../src/weights/index.ts";
import { holds, rejects, same } from "./claims.ts";
import type { EnginePromise, Kit } from "./promises.ts";

const size = { height: 64, width: 64 };
const prompt = "a white cat lying down on the snow";

/** The tiny model has all files that it needs. */
const platform: Platform = {
  openModel: () => Promise.reject(new Error("no other model")),
  decodePhoto: () => Promise.reject(new Error("no photo file")),
  merges: () => Promise.reject(new Error("no shipped merges")),
};

/** The tiny model on an engine of its own. */
const opened = async ({ start, tinyModel }: Kit): Promise<Model> =>
  openModel(await openCheckpoint(await tinyModel()), {
    name: "tiny",
    platform,
    startEngine: () => start({ threads: 1 }),
  });

const shared = new WeakMap<Kit, Promise<Model>>();

/** The tiny model on an engine that these promises share: a device without hardware needs minutes for its programs. */
function sharedModel(kit: Kit): Promise<Model> {
  const model = shared.get(kit) ?? opened(kit);
  shared.set(kit, model);
  return model;
}

/** Values of diffusers; see tools/parity/README.md. */
async function references({ tinyModel }: Kit): Promise<(name: string) => Promise<Tensor>> {
  const { tensors } = await readSafetensors(await (await tinyModel()).open("reference.safetensors"));
  return (name) => readTensor(tensors.get(name)!);
}

/** Euclidean length of the difference, relative to the expected values. */
function relativeError(found: Tensor, expected: Tensor): number {
  const square = (sum: number, x: number): number => sum + x * x;
  const difference = found.data.map((x, i) => x - expected.data[i]);
  return Math.sqrt(difference.reduce(square, 0) / expected.data.reduce(square, 0));
}

const greatestDifference = (a: Picture, b: Picture): number =>
  a.data.reduce((most, x, i) => Math.max(most, Math.abs(x - b.data[i])), 0);

const photo = (): Picture => ({
  ...size,
  data: Uint8Array.from({ length: 3 * size.height * size.width }, (_, i) => (i * 7) % 256),
});

/** Settings of an edit on a device, and the number of the step after which its preparation is stopped. */
const edits = {
  fast: { options: { steps: 4, iterations: 2 }, stopAt: 6 },
  slow: { options: { steps: 2, iterations: 1 }, stopAt: 3 },
};

async function prepared({ isSlow }: Kit, model: Model, work: PrepareWork = {}): Promise<Prepared> {
  const { options } = edits[isSlow ? "slow" : "fast"];
  const plan = await planPrepared(baret, model, photo(), { target: prompt, options });
  return prepare(baret, model, photo(), plan, work);
}

async function edited(model: Model, from: Prepared): Promise<Picture> {
  const { images } = await edit(baret, model, from, { alpha: [0.8, 0.1], selfSteps: 0.3, crossSteps: 0.6 });
  return images.edit;
}

/** The first `steps` steps of a schedule. */
const begun = (schedule: Schedule, steps: number): Schedule => ({
  ...schedule,
  timesteps: schedule.timesteps.slice(0, steps),
  alphaBar: schedule.alphaBar.slice(0, steps + 1),
});

/** Work with a whole model. */
export const models: readonly EnginePromise[] = [
  {
    name: "text, guided steps and the picture agree with diffusers",
    keep: async (kit) => {
      const model = await sharedModel(kit);
      const reference = await references(kit);
      const [empty, embedded] = (await model.embed(["", prompt])).map(({ tensor }) => tensor);
      const text = await reference("text");
      holds(relativeError(empty, rows(text, 0, 1)) < 1e-4, "the empty text agrees to 1e-4");
      holds(relativeError(embedded, rows(text, 1, 2)) < 1e-4, "the text agrees to 1e-4");
      const predictor = await openPredictor(model, size);
      const steps = kit.isSlow ? 2 : 10;
      const start = await reference("noise");
      const sampling = { start, contexts: [embedded], unconditional: empty, guidance: 7.5 };
      const z = await sample(predictor, begun(model.schedule(10), steps), sampling);
      const latents = await reference("latents");
      const error = relativeError(z, rows(latents, steps, steps + 1));
      holds(error < 1e-3, `the latent after ${steps} steps agrees to 1e-3, found ${error}`);
      const [picture] = await model.decode({ shape: start.shape, data: rows(latents, 10, 11).data });
      const off = greatestDifference(picture, tensorToPicture(await reference("image")));
      holds(off <= 1, `the picture agrees to one grey level, found ${off}`);
    },
  },
  {
    name: "a seed gives the same picture in a new engine",
    keep: async (kit) => {
      const other = await opened(kit);
      try {
        const settings = { steps: kit.isSlow ? 1 : 2, size, seed: 7 };
        const [[one], [again]] = [
          await generate(await sharedModel(kit), [prompt], settings),
          await generate(other, [prompt], settings),
        ];
        same(again.picture, one.picture);
      } finally {
        await other.close();
      }
    },
  },
  {
    name: "a preparation that was cancelled resumes to the same edit",
    keep: async (kit) => {
      const model = await sharedModel(kit);
      const { stopAt } = edits[kit.isSlow ? "slow" : "fast"];
      // An edit is a function of its preparation, so a slow device does not compute it twice.
      const outcome = async (from: Prepared) => (kit.isSlow ? from.tensors : edited(model, from));
      const whole = await outcome(await prepared(kit, model));
      const abort = new AbortController();
      let kept: Prepared | undefined;
      let steps = 0;
      const stopped = prepared(kit, model, {
        signal: abort.signal,
        onStep: async (soFar) => {
          kept = structuredClone(soFar);
          if (++steps === stopAt) abort.abort();
        },
      });
      await rejects(stopped, CancelledError);
      holds(kept !== undefined && kept.progress.done < kept.progress.total, "it was stopped in the middle");
      same(await outcome(await prepared(kit, model, { resume: kept })), whole);
    },
  },
];

/** Ends what the promises with a model share. */
export const closeModels = async (kit: Kit): Promise<void> => (await shared.get(kit))?.close();
