import { afterAll, beforeAll, expect, test } from "vitest";
import type { Random } from "../../src/core/index.ts";
import { type Model, modelHash } from "../../src/diffusion/index.ts";
import { decodePrepared, encodePrepared, type Prepared, pictureHash } from "../../src/editing/index.ts";
import { baret } from "../../src/index.ts";
import { encodeSafetensors, memorySource, type TensorData } from "../../src/weights/index.ts";
import { prepared, smoothPicture, tinyModel } from "../support/baret.ts";
import { survive } from "../support/survive.ts";
import { mutateJson, mutateText } from "../weights/mutate.ts";

// Using a damaged file of a prepared photo succeeds, or ends in a StorageError before any network runs on it.

const picture = smoothPicture(1);
const options = { target: "a dog lying down", steps: 2, iterations: 1, resetAdam: false };
let model: Model;
let origin: { model: string; picture: string };
/** Files of a prepared photo after each of its steps; the last is finished. */
const files: { metadata: Record<string, string>; tensors: Record<string, TensorData>; bytes: Uint8Array }[] = [];

beforeAll(async () => {
  model = await tinyModel("tiny-sd1");
  origin = { model: await modelHash(model), picture: pictureHash(picture) };
  const keep = async (inversion: Prepared): Promise<void> => {
    const bytes = await encodePrepared(inversion);
    const [length] = new BigUint64Array(bytes.slice(0, 8).buffer);
    const start = 8 + Number(length);
    const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
    const tensors = Object.entries<{ dtype: "F32"; shape: number[]; data_offsets: [number, number] }>(entries).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        return [name, { dtype, shape, data: bytes.slice(start + from, start + to) }] as const;
      },
    );
    files.push({ metadata, tensors: Object.fromEntries(tensors), bytes });
  };
  await prepared(model, picture, options, origin, { onStep: keep });
});
afterAll(() => model.close());

const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Returns another shape, or the same one with one side changed. */
const reshape = (shape: readonly number[], random: Random): number[] =>
  random.below(2)
    ? shape.map((d) => (random.below(3) ? d : random.pick([0, 1, d + 1, 2 * d])))
    : Array.from({ length: random.below(6) }, () => random.below(5));

/** Damages one tensor: other numbers, another shape, dtype or name; removes it, or adds another one. */
function damageTensors(tensors: Record<string, TensorData>, random: Random): Record<string, TensorData> {
  const name = random.pick(Object.keys(tensors));
  const { [name]: tensor, ...others } = tensors;
  const data = new Uint8Array(tensor.data.buffer).slice();
  const kind = random.below(6);
  if (kind === 0) return others;
  if (kind === 1) return { ...tensors, [random.pick(["extra", "__proto__x", "", "loss2"])]: tensor };
  if (kind === 2) return { ...others, [`${name}x`]: tensor };
  if (kind === 3) {
    const shape = reshape(tensor.shape, random);
    return { ...tensors, [name]: { dtype: "F32", shape, data: new Float32Array(count(shape)) } };
  }
  if (kind === 4) {
    const dtype = random.pick(["F64", "F16", "I32", "U8", "BF16"] as const);
    const bytes = { F64: 8, F16: 2, I32: 4, U8: 1, BF16: 2 }[dtype];
    return { ...tensors, [name]: { dtype, shape: tensor.shape, data: new Uint8Array(bytes * count(tensor.shape)) } };
  }
  const view = new DataView(data.buffer);
  for (let n = 1 + random.below(3); n > 0 && data.length > 0; n--) {
    const value = random.pick([Number.NaN, Number.POSITIVE_INFINITY, 3e38, -1e20, -1, 0, 1e-45, 1e7, 999_999]);
    view.setFloat32(4 * random.below(data.length / 4), value, true);
  }
  return { ...tensors, [name]: { ...tensor, data } };
}

function damage({ metadata, tensors, bytes }: (typeof files)[number], random: Random): Uint8Array {
  const kind = random.below(8);
  if (kind <= 2) {
    const header = JSON.stringify(mutateJson(JSON.parse(metadata.prepared), random)) ?? "";
    return encodeSafetensors(tensors, { ...metadata, prepared: header });
  }
  if (kind === 3) {
    const header = new TextDecoder().decode(mutateText(metadata.prepared, random));
    return encodeSafetensors(tensors, { ...metadata, prepared: header });
  }
  if (kind <= 5) return encodeSafetensors(damageTensors(tensors, random), metadata);
  if (kind === 6) return bytes.slice(0, random.below(bytes.length));
  const flipped = bytes.slice();
  for (let n = 1 + random.below(4); n > 0; n--)
    flipped[random.below(random.pick([8, 2000, bytes.length]))] ^= 1 + random.below(255);
  return flipped;
}

test("reading, editing, sweeping or resuming a damaged file of a prepared photo succeeds or ends in StorageError", async () => {
  const outcomes = await survive(600, ["StorageError"], async (random) => {
    const bytes = damage(random.below(3) ? files[files.length - 1] : random.pick(files), random);
    const inversion = await decodePrepared(memorySource("dog.inversion.safetensors", bytes));
    const resumed = await prepared(model, picture, options, origin, { resume: inversion }).catch(
      (error: Error) => error,
    );
    if (resumed instanceof Error && resumed.name !== "StorageError") throw resumed;
    if (random.below(2)) await baret.edit(model, inversion, {});
    else await baret.sweep(model, inversion, {}, [{}, { alpha: 0 }]);
  });
  expect(outcomes.success).toBeGreaterThan(20);
  expect(outcomes.StorageError).toBeGreaterThan(300);
});
