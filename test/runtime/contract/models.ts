import { CancelledError, type Picture, rows, type Tensor } from "../../../src/core/index.ts";
import { generate, type Model, openModel, openPredictor, type Platform, sample } from "../../../src/diffusion/index.ts";
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

/** Runs `use` with the tiny model on an engine of its own. */
async function withModel({ start, tinyModel }: Kit, use: (model: Model) => Promise<void>): Promise<void> {
  const checkpoint = await openCheckpoint(await tinyModel());
  const model = await openModel(checkpoint, { name: "tiny", platform, startEngine: () => start({ threads: 1 }) });
  try {
    await use(model);
  } finally {
    await model.close();
  }
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

async function prepared(model: Model, work: PrepareWork = {}): Promise<Prepared> {
  const options = { steps: 4, iterations: 2 };
  const plan = await planPrepared(baret, model, photo(), { target: prompt, options });
  return prepare(baret, model, photo(), plan, work);
}

async function edited(model: Model, from: Prepared): Promise<Picture> {
  const { images } = await edit(baret, model, from, { alpha: [0.8, 0.1], selfSteps: 0.3, crossSteps: 0.6 });
  return images.edit;
}

/** Work with a whole model. */
export const models: readonly EnginePromise[] = [
  {
    name: "text, ten guided steps and the picture agree with diffusers",
    keep: (kit) =>
      withModel(kit, async (model) => {
        const reference = await references(kit);
        const [empty, embedded] = (await model.embed(["", prompt])).map(({ tensor }) => tensor);
        const text = await reference("text");
        holds(relativeError(empty, rows(text, 0, 1)) < 1e-4, "the empty text agrees to 1e-4");
        holds(relativeError(embedded, rows(text, 1, 2)) < 1e-4, "the text agrees to 1e-4");
        const predictor = await openPredictor(model, size);
        const start = await reference("noise");
        const sampling = { start, contexts: [embedded], unconditional: empty, guidance: 7.5 };
        const z = await sample(predictor, model.schedule(10), sampling);
        const error = relativeError(z, rows(await reference("latents"), 10, 11));
        holds(error < 1e-3, `the latent agrees to 1e-3, found ${error}`);
        const [picture] = await model.decode(z);
        const off = greatestDifference(picture, tensorToPicture(await reference("image")));
        holds(off <= 1, `the picture agrees to one grey level, found ${off}`);
      }),
  },
  {
    name: "a seed gives the same picture in a new engine",
    keep: async (kit) => {
      const pictures: Picture[] = [];
      for (const _ of ["once", "twice"]) {
        await withModel(kit, async (model) => {
          pictures.push((await generate(model, [prompt], { steps: 2, size, seed: 7 }))[0].picture);
        });
      }
      same(pictures[1], pictures[0]);
    },
  },
  {
    name: "a preparation that was cancelled resumes to the same edit",
    keep: (kit) =>
      withModel(kit, async (model) => {
        const whole = await edited(model, await prepared(model));
        const abort = new AbortController();
        let kept: Prepared | undefined;
        let steps = 0;
        const stopped = prepared(model, {
          signal: abort.signal,
          onStep: async (soFar) => {
            kept = structuredClone(soFar);
            if (++steps === 6) abort.abort();
          },
        });
        await rejects(stopped, CancelledError);
        holds(kept !== undefined && kept.progress.done < kept.progress.total, "it was stopped in the middle");
        same(await edited(model, await prepared(model, { resume: kept })), whole);
      }),
  },
];
