import { CheckpointError, listed, sizeOf } from "../core/index.ts";
import { type Dictionary, isCall, isName, isStored, type Plain, PlainPickle, plainText } from "./plainPickle.ts";
import { type ByteSource, memorySource, readWhole } from "./source.ts";
import type { TensorRef, WeightSet } from "./tensor-ref.ts";

/** The number that a file of torch.save began with until PyTorch 1.6, as a pickle of its own. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** The pickle of the magic number: protocol 2, a number of 10 bytes, stop. */
const START = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
/** The files of the `lpips` package have at most 11 kB. */
const MOST_BYTES = 1 << 20;
const MOST_AXES = 8;

/** True if a file begins as torch.save wrote it until PyTorch 1.6. */
export async function isLegacyTorch(source: ByteSource): Promise<boolean> {
  if (source.size < START.length) return false;
  const head = await source.read(0, START.length);
  return START.every((byte, i) => head[i] === byte);
}

/** Floats of a storage: numbers `count` from byte `start` of the file on. */
interface Storage {
  readonly start: number;
  readonly count: number;
}

/**
 * Reads a small state dict of float32 tensors that torch.save wrote until PyTorch 1.6, such as the linear weights of the
 * `lpips` package: pickles of the magic number, the protocol, the machine, the state dict and the keys of its storages; then
 * the storages in the order of these keys. Runs nothing of what the pickles ask for. Throws one CheckpointError if the file
 * has any other layout.
 */
export async function readLegacyTorch(source: ByteSource): Promise<WeightSet> {
  const { name: where } = source;
  const bytes = await readWhole(source, MOST_BYTES);
  const file = new PlainPickle(bytes, where);
  const [magic, protocol, machine, dict, keys] = Array.from({ length: 5 }, () => file.next());
  const littleEndian = machine instanceof Map && machine.get("little_endian") === true;
  if (magic !== MAGIC || protocol !== PROTOCOL || !littleEndian) {
    throw new CheckpointError("not what torch.save wrote until PyTorch 1.6", {
      where,
      found: `${plainText(magic)}, ${plainText(protocol)}`,
      expected: `${MAGIC}, ${PROTOCOL}, from a little-endian machine`,
    });
  }
  const storages = readStorages(file, keys, where);
  if (file.position !== bytes.length) {
    throw new CheckpointError("bytes after the last storage", { where, found: `${bytes.length - file.position}` });
  }
  const memory = memorySource(where, bytes);
  const problems: string[] = [];
  const tensors = new Map<string, TensorRef>();
  for (const [key, value] of entriesOf(dict, where)) {
    const found = readTensor(value, storages);
    if (typeof key !== "string" || typeof found === "string") problems.push(`${plainText(key)}: ${found}`);
    else tensors.set(key, { name: key, dtype: "F32", source: memory, ...found });
  }
  if (problems.length > 0) {
    throw new CheckpointError(`not a state dict of float32 tensors\n${listed(problems)}`, { where });
  }
  return tensors;
}

/** Reads the count of each storage, and skips its numbers. */
function readStorages(file: PlainPickle, keys: Plain, where: string): ReadonlyMap<Plain, Storage> {
  if (!Array.isArray(keys)) throw new CheckpointError("no list of storages", { where, found: plainText(keys) });
  return new Map(
    keys.map((key) => {
      const count = file.long(8);
      const start = file.position;
      // A count that is not one is more than the file has.
      file.take(typeof count === "number" && count >= 0 ? 4 * count : Number.MAX_SAFE_INTEGER);
      return [key, { start, count: Number(count) }];
    }),
  );
}

/** Entries of collections.OrderedDict: Python 2 wrote them as its argument, Python 3 puts them in afterwards. */
function entriesOf(dict: Plain, where: string): readonly (readonly [Plain, Plain])[] {
  if (dict instanceof Map) return [...dict];
  if (!isCall(dict) || !isName(dict.callee, "collections.OrderedDict")) {
    throw new CheckpointError("not a state dict", { where, found: plainText(dict), expected: "an OrderedDict" });
  }
  const [pairs = []] = dict.args as readonly Plain[];
  const given: Dictionary = new Map();
  for (const pair of Array.isArray(pairs) ? pairs : [pairs]) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new CheckpointError("not an entry of a state dict", { where, found: plainText(pair) });
    }
    given.set(pair[0], pair[1]);
  }
  return [...given, ...dict.entries];
}

const isCount = (value: Plain): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isShape = (value: Plain): value is number[] =>
  Array.isArray(value) && value.length <= MOST_AXES && value.every(isCount);

/** Reads a call of _rebuild_tensor_v2(storage, offset, shape, strides, …). Returns text if it is anything else. */
function readTensor(
  value: Plain,
  storages: ReadonlyMap<Plain, Storage>,
): Pick<TensorRef, "shape" | "offset" | "length"> | string {
  if (!isCall(value) || !isName(value.callee, "torch._utils._rebuild_tensor_v2")) {
    return `found ${plainText(value)}, expected a tensor`;
  }
  const [stored, offset, shape, strides] = value.args;
  const [kind, type, key] = stored !== undefined && isStored(stored) && Array.isArray(stored.id) ? stored.id : [];
  if (kind !== "storage" || !isName(type, "torch.FloatStorage")) {
    return `found ${type === undefined ? "no storage" : plainText(type)}, expected torch.FloatStorage`;
  }
  const storage = storages.get(key);
  if (!storage) return `its storage ${plainText(key)} is not in the file`;
  if (!isCount(offset) || !isShape(shape) || !isShape(strides)) return "its shape is not one";
  const rowMajor = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  if (`${rowMajor}` !== `${strides}`) return `strides [${strides}], expected [${rowMajor}]`;
  if (offset + sizeOf(shape) > storage.count) {
    return `needs ${offset + sizeOf(shape)} numbers, its storage has ${storage.count}`;
  }
  return { shape, offset: storage.start + 4 * offset, length: 4 * sizeOf(shape) };
}
