import { CheckpointError, listed, StorageError, shown } from "../core/index.ts";
import {
  type ByteSource,
  encodeSafetensors,
  parseJson,
  readSafetensors,
  readTensor,
  type TensorRef,
} from "../weights/index.ts";
import { arraysOf, shapeProblems, shapesOf, valueProblems } from "./arrays.ts";
import { type Header, headerOf, headerProblems } from "./header.ts";
import type { Inversion } from "./inversion.ts";

const format = "baret inversion";
const version = "1";

/** An inversion of 1000 steps at 2048 x 2048 has 2.5 GB. */
const MAX_BYTES = 2 ** 32;

/**
 * An inversion as one safetensors file: arrays as F32, everything else as JSON in the header. No clock and no path: the
 * same inversion gives the same bytes.
 */
export function encodeInversion(inversion: Inversion): Uint8Array {
  const tensors = Object.entries(arraysOf(inversion)).map(([name, { shape, data }]) => [
    name,
    { dtype: "F32" as const, shape, data },
  ]);
  const inversionJson = JSON.stringify(headerOf(inversion));
  return encodeSafetensors(Object.fromEntries(tensors), { format, version, inversion: inversionJson });
}

/**
 * Reads an inversion file, finished or not. What it says is checked before an array is read. Throws StorageError if it is
 * none, damaged, or of another version.
 */
export async function decodeInversion(source: ByteSource): Promise<Inversion> {
  const where = source.name;
  if (source.size > MAX_BYTES) {
    const facts = { found: `${source.size} bytes`, expected: `at most ${MAX_BYTES}` };
    throw new StorageError("too large for an inversion file", { where, ...facts });
  }
  const { metadata, tensors } = await readable(readSafetensors(source), where);
  if (metadata.format !== format) {
    throw new StorageError("a safetensors file, but not an inversion", { where, expected: `format "${format}"` });
  }
  if (metadata.version !== version) {
    throw new StorageError("an inversion file of another version of baret", {
      where,
      found: `${metadata.version}`,
      expected: version,
      advice: "Invert the photo again.",
    });
  }
  const json = await readable(parse(metadata.inversion ?? "", `${where}, header`), where);
  refuse("the inversion file's header is damaged", headerProblems(json), where);
  // As the schema gives it: it fills in what earlier versions did not know.
  const header = headerOf(json as Header);
  refuse("the inversion file does not fit itself", layoutProblems(tensors, header), where);
  const read = (name: string) => readTensor(tensors.get(name)!);
  const inversion: Inversion = {
    ...header,
    inverted: await read("inverted"),
    embeddings: await read("embeddings"),
    reconstruction: await read("reconstruction"),
    trace: { loss: await read("loss"), gradientRms: await read("gradient_rms") },
    moments: await read("moments"),
  };
  refuse("the inversion file's arrays are damaged", valueProblems(inversion), where);
  return inversion;
}

function refuse(problem: string, problems: readonly string[], where: string): void {
  if (problems.length > 0) throw new StorageError(`${problem}\n${listed(problems)}`, { where });
}

const parse = async (text: string, where: string): Promise<unknown> => parseJson(new TextEncoder().encode(text), where);

/** Waits for `work`, whose CheckpointError becomes a StorageError: no model's file is meant. */
const readable = <T>(work: Promise<T>, where: string): Promise<T> =>
  work.catch((cause: unknown) => {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw new StorageError("not an inversion file, or a damaged one", { where, found: cause.message, cause });
  });

/** What is wrong with names, dtypes and shapes of the arrays, before one is read. */
function layoutProblems(tensors: ReadonlyMap<string, TensorRef>, { settings, size }: Header): string[] {
  const [, ...latent] = tensors.get("inverted")?.shape ?? [];
  const [, ...embedding] = tensors.get("embeddings")?.shape ?? [];
  const expected = shapesOf(settings, { latent, embedding });
  const problems = [
    ...Object.keys(expected)
      .filter((name) => !tensors.has(name))
      .map((name) => `"${name}": missing`),
    ...[...tensors]
      .filter(([name, { dtype }]) => dtype !== "F32" && Object.hasOwn(expected, name))
      .map(([name, { dtype }]) => `"${name}": found dtype ${dtype}, expected F32`),
    ...[...tensors.keys()].filter((name) => !Object.hasOwn(expected, name)).map((name) => `${shown(name)}: unexpected`),
  ];
  if (problems.length > 0) return problems;
  const [, height, width] = latent;
  if (latent.length !== 3 || height > size.height || width > size.width) {
    problems.push(`"inverted": found latents ${shown(latent)}, expected [C, h, w] within the picture's size`);
  }
  if (embedding.length !== 2) problems.push(`"embeddings": found ${shown(embedding)} for a step, expected [L, D]`);
  return [...problems, ...shapeProblems(Object.fromEntries(tensors), expected)];
}
