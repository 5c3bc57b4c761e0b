import { CheckpointError, listed, shapeText, shown } from "../core/index.ts";
import { dtypeBytes, isDtype } from "./dtype.ts";
import { HEAD_BYTES, refuseOtherFormats } from "./fileKind.ts";
import { isObject, parseJson } from "./json.ts";
import type { ByteSource } from "./source.ts";
import type { TensorRef } from "./tensor-ref.ts";

/** The tensors and the metadata of a safetensors file. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The largest header that the safetensors library reads. Stable Diffusion's has 0.2 MB, but some files keep a workflow in it. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_RANK = 8;

/**
 * Reads the layout of a safetensors file: 8 bytes of header length, a JSON header, then the data. Reads only the header,
 * and trusts nothing in it: shapes, dtypes and offsets must agree with each other and with the file's size, and the tensors
 * must fill the data without overlap, hole or rest, as the format demands. Throws one CheckpointError that lists all
 * problems. Format: https://github.com/huggingface/safetensors
 */
export async function readSafetensors(source: ByteSource): Promise<Safetensors> {
  const where = source.name;
  const headerBytes = await readHeaderLength(source);
  const dataStart = 8 + headerBytes;
  const header = parseJson(await source.read(8, headerBytes), `${where}, header`, 4);
  if (!isObject(header)) throw new CheckpointError("the safetensors header is not a JSON object", { where });

  const problems: string[] = [];
  const tensors = new Map<string, TensorRef>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (isStringRecord(entry)) metadata = entry;
      else problems.push(`"__metadata__": not an object of strings`);
      continue;
    }
    const found = readEntry(entry);
    if (typeof found === "string") problems.push(`${shown(name)}: ${found}`);
    else tensors.set(name, { name, source, ...found, offset: dataStart + found.offset });
  }
  if (!problems.length) problems.push(...layoutProblems([...tensors.values()], dataStart, source.size));
  if (problems.length)
    throw new CheckpointError(`the safetensors file is damaged\n${listed(problems)}`, {
      where,
      advice: "Download it again.",
    });
  return { tensors, metadata };
}

/**
 * Returns the length of the header in bytes. Throws CheckpointError if the file is something else, or is too short for its
 * header.
 */
async function readHeaderLength(source: ByteSource): Promise<number> {
  const { name: where, size } = source;
  const head = await source.read(0, Math.min(HEAD_BYTES, size));
  const length = size < 8 ? undefined : new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
  const fits = length !== undefined && length <= BigInt(size - 8);
  if (fits && length <= BigInt(MAX_HEADER_BYTES)) return Number(length);
  refuseOtherFormats(head, where);
  const advice = "Download it again.";
  if (length === undefined) {
    throw new CheckpointError("too short for a safetensors file", { where, found: `${size} bytes`, advice });
  }
  if (fits) {
    throw new CheckpointError("the safetensors header is too long", {
      where,
      found: `${length} bytes`,
      expected: `at most ${MAX_HEADER_BYTES}`,
    });
  }
  if (length <= BigInt(MAX_HEADER_BYTES)) {
    throw new CheckpointError("the file is truncated within its header", {
      where,
      found: `${size} bytes`,
      expected: `more than ${8n + length}`,
      advice,
    });
  }
  const start = Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0"));
  throw new CheckpointError("this is not a safetensors file", { where, found: `first bytes ${start.join(" ")}` });
}

/** Reads a tensor's entry of the header, its offset counted from the start of the data. Returns text if it is wrong. */
function readEntry(entry: unknown): Pick<TensorRef, "dtype" | "shape" | "offset" | "length"> | string {
  if (!isObject(entry)) return "not an object";
  const stray = Object.keys(entry).filter((k) => !["dtype", "shape", "data_offsets"].includes(k));
  if (stray.length) return `unknown field ${shown(stray[0])}`;
  const { dtype, shape, data_offsets: span } = entry;
  if (typeof dtype !== "string" || !isDtype(dtype)) return `dtype ${shown(dtype)} is not known`;
  if (!isCounts(shape) || shape.length > MAX_RANK) return `shape ${shown(shape)} is not a shape`;
  if (!isCounts(span) || span.length !== 2 || span[0] > span[1]) return `data_offsets ${shown(span)} are not a range`;
  const expected = shape.reduce((n, d) => n * d, dtypeBytes[dtype]);
  const length = span[1] - span[0];
  if (length !== expected) {
    return `found ${length} bytes, expected ${expected} for ${dtype} ${shapeText(shape)}`;
  }
  return { dtype, shape, offset: span[0], length };
}

/** Lists overlaps, holes, a truncated end and a rest, in file order. */
function layoutProblems(tensors: readonly TensorRef[], dataStart: number, size: number): string[] {
  const problems: string[] = [];
  let end = dataStart;
  for (const { name, offset, length } of tensors.toSorted((a, b) => a.offset - b.offset || a.length - b.length)) {
    const quoted = shown(name);
    if (offset < end) problems.push(`${quoted}: overlaps the tensor before it by ${end - offset} bytes`);
    else if (offset > end) problems.push(`${quoted}: a hole of ${offset - end} bytes before it`);
    end = Math.max(end, offset + length);
  }
  if (end > size) problems.push(`the file is truncated: found ${size} bytes, expected ${end}`);
  if (end < size) problems.push(`${size - end} bytes after the last tensor`);
  return problems;
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((x) => Number.isSafeInteger(x) && x >= 0);

const isStringRecord = (value: unknown): value is Record<string, string> =>
  isObject(value) && Object.values(value).every((x) => typeof x === "string");
