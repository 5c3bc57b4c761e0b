import { afterAll, beforeAll, expect, test } from "vitest";
import { CancelledError, StorageError, type Tensor } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { baret, decodePrepared, edit, encodePrepared, type Prepared, sweep } from "../../src/editing/index.ts";
import type { BaretPrepared } from "../../src/editing/methods/baret/index.ts";
import { encodeSafetensors, memorySource, readSafetensors } from "../../src/weights/index.ts";
import { prepared, smoothPicture, someOrigin, tinyModel, withTensors } from "../support/baret.ts";

const picture = smoothPicture(1);
const options = { target: "a dog", steps: 2, iterations: 1 };
let model: Model;
let inversion: BaretPrepared;
beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  inversion = await prepared(model, picture, options);
});
afterAll(() => model.close());

const decoded = (bytes: Uint8Array) => decodePrepared(memorySource("dog.safetensors", bytes));

/** Encodes the inversion with a change to its header. */
async function rewritten(change: (header: Record<string, never>) => unknown): Promise<Uint8Array> {
  const { metadata } = await readSafetensors(memorySource("", await encodePrepared(inversion)));
  const header = JSON.parse(metadata.prepared);
  change(header);
  return encodeSafetensors(tensors(), { ...metadata, prepared: JSON.stringify(header) });
}
const tensors = (from: BaretPrepared = inversion) =>
  Object.fromEntries(
    Object.entries(from.tensors).map(([name, { shape, data }]) => [name, { dtype: "F32" as const, shape, data }]),
  );
/** Encodes the inversion with some tensors replaced. */
async function holding(change: (all: ReturnType<typeof tensors>) => object): Promise<Uint8Array> {
  const { metadata } = await readSafetensors(memorySource("", await encodePrepared(inversion)));
  return encodeSafetensors({ ...tensors(), ...change(tensors()) }, metadata);
}
const filled = (shape: readonly number[], value = 0): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(value),
});
const put = (path: string, value: unknown) => (header: Record<string, never>) => {
  const keys = path.split(".");
  const holder = keys
    .slice(0, -1)
    .reduce<Record<string, unknown>>((x, key) => x[key] as Record<string, unknown>, header);
  holder[keys.at(-1)!] = value;
};

/** Encodes a prepared photo as the inversion files of format 1, before there were other methods. */
async function inFormat1(from: BaretPrepared): Promise<Uint8Array> {
  const { target, size, origin, timesteps, settings, progress } = from;
  const { threshold, ...others } = settings;
  const [first, growth] = threshold;
  const { steps } = settings;
  const header = {
    ...{ target, size, origin, timesteps },
    settings: { inversionPrompt: target, ...others, threshold: { first, growth } },
    done: { inverted: Math.min(progress.done, steps), tuned: Math.max(0, progress.done - steps) },
  };
  const metadata = { format: "baret inversion", version: "1", inversion: JSON.stringify(header) };
  return encodeSafetensors(tensors(from), metadata);
}

test.each([
  ["target prompt", {}],
  ["a prompt of its own", { inversionPrompt: "an animal" }],
])("an inversion file of format 1, inverted with %s, reads as what was prepared", async (_, own) => {
  const made = await prepared(model, picture, { ...options, ...own });
  expect(await decoded(await inFormat1(made))).toEqual(made);
});

test.each([1, 3])(
  "an unfinished inversion file of format 1 resumes after step %i of 4 to the same bytes",
  async (done) => {
    const stop = new AbortController();
    let begun: BaretPrepared | undefined;
    const onStep = async (made: Prepared): Promise<void> => {
      if (made.progress.done !== done) return;
      begun = structuredClone(made) as BaretPrepared;
      stop.abort();
    };
    await expect(prepared(model, picture, options, someOrigin, { onStep, signal: stop.signal })).rejects.toThrow(
      CancelledError,
    );
    const resume = await decoded(await inFormat1(begun!));
    expect(resume.progress).toEqual({ done, total: 4 });
    const resumed = await prepared(model, picture, options, someOrigin, { resume });
    expect(await encodePrepared(resumed)).toEqual(await encodePrepared(inversion));
  },
);

test("an inversion file of format 1 whose tuning began before all steps were inverted is refused", async () => {
  const { metadata } = await readSafetensors(memorySource("", await inFormat1(inversion)));
  const header = { ...JSON.parse(metadata.inversion), done: { inverted: 1, tuned: 1 } };
  const bytes = encodeSafetensors(tensors(), { ...metadata, inversion: JSON.stringify(header) });
  await expect(decoded(bytes)).rejects.toThrow("progress.done: found NaN");
});

test.each<[string, unknown, found: string, expected: string]>([
  ["timesteps.1", 1e15, "1000000000000000", "a whole number in 0..1000000"],
  ["timesteps", [1], "1", "2"],
  ["size.width", 1e9, "1000000000", "a whole number in 1..8192"],
  ["size.height", -8, "-8", "a whole number in 1..8192"],
  ["settings.steps", 1e300, "1e+300", "a whole number in 1..1000"],
  ["settings.guidance", 1e308, "1e+308", "0..100"],
  ["settings.learningRate", 5e-324, "5e-324", "1e-8..1"],
  ["settings.threshold.0", null, "null", "0..1000"],
  ["origin.model", "../../x", '"../../x"', "64 hexadecimal digits"],
  ["origin.threads", { toString: 1 }, '{"toString":1}', "a whole number in 1..65536"],
  ["progress.done", 5, "5", "0..4"],
  ["target", "", '""', "a prompt"],
])("a file whose %s is %j is refused before its tensors are read", async (field, value, found, expected) => {
  const error = await decoded(await rewritten(put(field, value))).catch((e) => e);
  expect(error).toBeInstanceOf(StorageError);
  expect(error.message).toMatch(/^dog\.safetensors: the file's header is damaged\n/);
  expect(error.message).toContain(`${field}: found ${found}, expected ${expected}`);
});

test.each<[string, () => object, string]>([
  ["an extra tensor", () => ({ extra: { dtype: "F32", ...filled([2]) } }), '"extra": unexpected'],
  [
    "half-precision latents",
    () => ({ inverted: { dtype: "F16", shape: [3, 4, 8, 8], data: new Uint16Array(768) } }),
    '"inverted": found dtype F16, expected F32',
  ],
  [
    "one tensor of another shape",
    () => ({ reconstruction: { dtype: "F32", ...filled([3, 4, 8, 9]) } }),
    '"reconstruction": found shape [3,4,8,9], expected [3,4,8,8]',
  ],
  [
    "latents of another size than in the header",
    () => ({ inverted: { dtype: "F32", ...filled([3, 4, 65, 8]) } }),
    '"inverted": found shape [3,4,65,8], expected [3,4,8,8]',
  ],
  [
    "a latent of NaN",
    () => ({ inverted: { dtype: "F32", ...filled([3, 4, 8, 8], Number.NaN) } }),
    '"inverted": found NaN at 0, expected numbers up to 1000000',
  ],
  [
    "an enormous embedding",
    ({ embeddings } = tensors()) => ({ embeddings: { dtype: "F32", ...filled(embeddings.shape, 1e30) } }),
    "expected numbers up to 1000000",
  ],
  [
    "moments that Adam cannot have",
    ({ moments } = tensors()) => ({ moments: { dtype: "F32", ...filled(moments.shape, -1) } }),
    '"moments": found -1 and -1 at 0, which Adam cannot have',
  ],
  [
    "no losses",
    () => ({ loss: { dtype: "F32", ...filled([2, 2], Number.NaN) } }),
    '"loss" and "gradient_rms": found 0 and',
  ],
])("a file with %s is refused when it is read", async (_, change, problem) => {
  const error = await decoded(await holding(change)).catch((e) => e);
  expect(error).toBeInstanceOf(StorageError);
  expect(error.message).toMatch(/^dog\.safetensors: /);
  expect(error.message).toContain(problem);
});

test("a file that is too large for any prepared photo is refused before it is read", async () => {
  const read = () => Promise.reject(new Error("was read"));
  const made = decodePrepared({ name: "dog.safetensors", size: 5e11, read });
  await expect(made).rejects.toThrow(StorageError);
  await expect(made).rejects.toThrow(
    "dog.safetensors: too large for a file of a prepared photo: found 500000000000 bytes, expected at most 17179869184",
  );
});

const wider = ({ shape, data }: Tensor): Tensor => {
  const [first, channels, ...tail] = shape;
  return { shape: [first, 2 * channels, ...tail], data: Float32Array.from([...data, ...data]) };
};
test.each<[string, (from: BaretPrepared) => Partial<BaretPrepared>, string]>([
  [
    "latents of other channels",
    (from) => ({
      ...withTensors(from, {
        inverted: wider(from.tensors.inverted),
        reconstruction: wider(from.tensors.reconstruction),
      }),
      shapes: { ...from.shapes, latent: [8, 8, 8] },
    }),
    "shapes.latent: found [8,8,8], expected [4,8,8]",
  ],
  [
    "embeddings of another number of tokens",
    (from) => withTensors(from, { embeddings: wider(from.tensors.embeddings) }),
    '"embeddings": found shape [2,154,16], expected [2,77,16]',
  ],
  [
    "another picture size",
    () => ({ size: { width: 64, height: 72 } }),
    "shapes.latent: found [4,8,8], expected [4,9,8]",
  ],
  [
    "a size that is no multiple of the model's factor",
    () => ({ size: { width: 65, height: 64 } }),
    "size: found 65x64, expected multiples of",
  ],
  ["other timesteps", ({ timesteps: [t] }) => ({ timesteps: [t, 2] }), "timesteps.1: found 2, expected 1"],
  [
    "settings out of range",
    ({ settings }) => ({ settings: { ...settings, guidance: -1 } }),
    "settings.guidance: found -1, expected 0..100",
  ],
  [
    "embeddings of NaN",
    (from) => withTensors(from, { embeddings: filled(from.tensors.embeddings.shape, Number.NaN) }),
    '"embeddings": found NaN at 0',
  ],
])("a prepared photo with %s does not fit the model: edit, sweep and resume refuse it", async (_, change, problem) => {
  const other = { ...inversion, ...change(inversion) };
  const begun = { ...other, progress: { done: 3, total: 4 } };
  const uses = [
    () => edit(baret, model, other),
    () => sweep(baret, model, other, {}, [{}]),
    () => prepared(model, picture, options, someOrigin, { resume: begun, where: "dog.safetensors" }),
  ];
  for (const use of uses) await expect(use()).rejects.toThrow(StorageError);
  for (const use of uses.slice(0, 2)) await expect(use()).rejects.toThrow(problem);
  await expect(uses[2]()).rejects.toThrow("dog.safetensors: ");
});
