import { CheckpointError, few, listed, StorageError, shown, type Tensor } from "../../core/index.ts";
import {
  type ByteSource,
  encodeSafetensorsHead,
  parseJson,
  readBytes,
  readSafetensors,
  readTensor,
  type TensorHead,
  type TensorRef,
  type WeightSet,
} from "../../weights/index.ts";
import type { Method } from "../method.ts";
import { methods } from "../registry.ts";
import { type Header, headerOf, headerProblems, methodProblems } from "./header.ts";
import { inversionFormat, ofInversion } from "./inversionFile.ts";
import { layoutProblems, valueProblems } from "./layout.ts";
import type { Prepared } from "./prepared.ts";

const format = "baret prepared";
const version = "2";

/**
 * Largest file that is read. A value of 1000 steps at 2048 x 2048 takes 2.5 GB; one with Stable Diffusion's tuned U-Net and
 * its moments takes 10 GB, which stay in the file until they are used.
 */
const MAX_BYTES = 2 ** 34;

/** Separates the name of a set of weights from that of a weight. Names of tensors have none. */
const SEPARATOR = "/";

/** Returns the weights of all sets, by their names in a file: "unet/conv_in.weight". */
const namedWeights = ({ weights = {} }: Pick<Prepared, "weights">): Map<string, TensorRef> =>
  new Map(
    Object.entries(weights).flatMap(([set, refs]) =>
      [...refs].map(([name, ref]): [string, TensorRef] => [`${set}${SEPARATOR}${name}`, ref]),
    ),
  );

/**
 * Encodes a prepared value as one safetensors file, piece by piece: tensors and weights as F32, everything else as JSON in
 * the header. The file holds no time and no path, so equal values give equal bytes.
 */
export async function* preparedPieces(prepared: Prepared): AsyncGenerator<Uint8Array> {
  const weights = namedWeights(prepared);
  const heads = [...Object.entries(prepared.tensors), ...weights].map(([name, { shape }]): [string, TensorHead] => [
    name,
    { dtype: "F32", shape },
  ]);
  const metadata = { format, version, prepared: JSON.stringify(headerOf(prepared)) };
  const { head, names } = encodeSafetensorsHead(Object.fromEntries(heads), metadata);
  yield head;
  let small: Uint8Array[] = [];
  let waiting = 0;
  for (const name of names) {
    const ref = weights.get(name);
    const { data } = ref ? { data: await readBytes(ref) } : prepared.tensors[name];
    small.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    waiting += data.byteLength;
    if (waiting < PIECE) continue;
    yield joined(small);
    [small, waiting] = [[], 0];
  }
  yield joined(small);
}

/** Bytes of a piece of a file: a network has hundreds of weights of a few bytes. */
const PIECE = 1 << 20;

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Encodes a prepared value as the bytes of one file. */
export async function encodePrepared(prepared: Prepared): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of preparedPieces(prepared)) pieces.push(piece);
  return joined(pieces);
}

/**
 * Reads a file of a prepared value, finished or not; also an inversion file of format 1. Checks the header before it reads a
 * tensor. Weights stay in the file. Throws StorageError if the file is of another kind or version, damaged, or made by an unknown method.
 */
export async function decodePrepared(source: ByteSource): Promise<Prepared> {
  const where = source.name;
  const { header, method, tensors } = await openPrepared(source);
  const settings = method.prepareOptions.parse(header.settings);
  const layouts = method.tensors(settings, header.shapes);
  const { weights, others } = splitWeights(
    tensors,
    Object.keys(method.weightSets?.(settings, header.progress.done) ?? {}),
  );
  refuse("the file's tensors do not fit its header", tensorProblems(others, layouts), where);
  const read: Record<string, Tensor> = {};
  for (const name of Object.keys(layouts)) read[name] = await readTensor(tensors.get(name)!);
  const prepared: Prepared = { ...headerOf({ ...header, settings }), tensors: read, ...(weights && { weights }) };
  refuse("the file's tensors are damaged", valueProblems(method, prepared), where);
  return prepared;
}

/** Reads the header of a file of a prepared value, and none of its tensors. Throws StorageError as `decodePrepared`. */
export const decodeHeader = async (source: ByteSource): Promise<Header> => (await openPrepared(source)).header;

/** Reads and checks the header of a file. */
async function openPrepared(source: ByteSource) {
  const where = source.name;
  if (source.size > MAX_BYTES) {
    const facts = { found: `${source.size} bytes`, expected: `at most ${MAX_BYTES}` };
    throw new StorageError("too large for a file of a prepared photo", { where, ...facts });
  }
  const { metadata, tensors } = await readable(readSafetensors(source), where);
  const header = await headerIn(metadata, tensors, where);
  const method = methodOf(header, where);
  refuse("the file's header is damaged", methodProblems(method, header), where);
  return { header, method, tensors };
}

/** Returns the header of a file of either format. Throws StorageError. */
async function headerIn(
  metadata: Readonly<Record<string, string>>,
  tensors: ReadonlyMap<string, TensorRef>,
  where: string,
): Promise<Header> {
  const isOld = metadata.format === inversionFormat;
  if (metadata.format !== format && !isOld) {
    throw new StorageError("a safetensors file, but not of a prepared photo", {
      where,
      expected: `format "${format}"`,
    });
  }
  const expected = isOld ? "1" : version;
  if (metadata.version !== expected) {
    throw new StorageError("written by another version of baret", {
      where,
      found: `${metadata.version}`,
      expected,
      advice: "Prepare the photo again.",
    });
  }
  const text = (isOld ? metadata.inversion : metadata.prepared) ?? "";
  const json = await readable(parse(text, `${where}, header`), where);
  const header = isOld ? ofInversion(json, tensors) : json;
  refuse("the file's header is damaged", headerProblems(header), where);
  return header as Header;
}

function methodOf({ method: name }: Header, where: string): Method {
  const found = methods().find((method) => method.name === name);
  if (found) return found;
  throw new StorageError("prepared by a method that is not installed", {
    where,
    found: shown(name),
    expected: few(methods().map((method) => method.name)),
  });
}

function refuse(problem: string, problems: readonly string[], where: string): void {
  if (problems.length > 0) throw new StorageError(`${problem}\n${listed(problems)}`, { where });
}

const parse = async (text: string, where: string): Promise<unknown> => parseJson(new TextEncoder().encode(text), where);

/** Waits for `work`, but throws its CheckpointError as a StorageError, because the file is not part of a model. */
const readable = <T>(work: Promise<T>, where: string): Promise<T> =>
  work.catch((cause: unknown) => {
    if (!(cause instanceof CheckpointError)) throw cause;
    // Its advice is about models.
    const problem = cause.message.replace(`${where}: `, "").replace(`\n${cause.details.advice}`, "");
    const advice = "Prepare the photo again.";
    throw new StorageError("not a file of a prepared photo, or a damaged one", {
      where,
      found: problem,
      advice,
      cause,
    });
  });

/** Separates the weights of the expected sets from the other tensors of a file. */
function splitWeights(tensors: ReadonlyMap<string, TensorRef>, sets: readonly string[]) {
  const others = new Map(tensors);
  const weights: Record<string, WeightSet> = {};
  for (const set of sets) {
    const start = `${set}${SEPARATOR}`;
    const own = [...tensors].filter(([name]) => name.startsWith(start));
    for (const [name] of own) others.delete(name);
    weights[set] = new Map(own.map(([name, ref]) => [name.slice(start.length), ref]));
  }
  return { others, weights: sets.length > 0 ? weights : undefined };
}

/** Lists wrong names, dtypes and shapes of the tensors, before one is read. */
function tensorProblems(
  tensors: ReadonlyMap<string, TensorRef>,
  layouts: Parameters<typeof layoutProblems>[1],
): string[] {
  const wrongTypes = [...tensors].filter(([name, { dtype }]) => dtype !== "F32" && Object.hasOwn(layouts, name));
  return [
    ...wrongTypes.map(([name, { dtype }]) => `"${name}": found dtype ${dtype}, expected F32`),
    ...layoutProblems(Object.fromEntries(tensors), layouts),
  ];
}
