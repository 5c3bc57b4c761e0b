import { open } from "node:fs/promises";
import { join } from "node:path";
import { sha256, sizeOf, throwIfCancelled, type Work } from "../../core/index.ts";
import { type ByteSource, readTensor, type TensorRef } from "../../weights/index.ts";
import type { Cache } from "../cache.ts";
import { openLocalFile } from "./files.ts";
import { type FileIdentity, fileIdentity } from "./hash.ts";
import { requireSpace } from "./space.ts";
import { writeAll } from "./writeAll.ts";

export interface ExpandedWeights {
  /** The same tensors in the same order, as F32 in one file of the cache. */
  refs: TensorRef[];
  /** Allows the cache to drop the file. Call it when no session maps the file any more. */
  release(): Promise<void>;
}

/** Every tensor starts on a page of its own, so that each can be mapped alone. */
const page = 4096;
const fileName = "weights.f32";
/** Elements converted at a time. Limits memory. */
const portion = 1 << 22;

/** Splits a tensor into consecutive pieces of at most `portion` elements. */
function* portions(ref: TensorRef): Generator<TensorRef> {
  const elements = sizeOf(ref.shape);
  for (let at = 0; at < elements; at += portion) {
    const n = Math.min(portion, elements - at);
    const bytes = ref.length / elements;
    yield { ...ref, shape: [n], offset: ref.offset + at * bytes, length: n * bytes };
  }
}

/** Identifies the content of each source of some weights: a file by its state, bytes in memory by their hash. */
async function identities(refs: readonly TensorRef[]): Promise<Map<ByteSource, FileIdentity | string>> {
  const found = new Map<ByteSource, FileIdentity | string>();
  for (const { source } of refs) {
    if (found.has(source)) continue;
    const known = [...found].find(([{ path }]) => path !== undefined && path === source.path)?.[1];
    const identify = async () => (source.path ? fileIdentity(source.path) : sha256(await source.read(0, source.size)));
    found.set(source, known ?? (await identify()));
  }
  return found;
}

/**
 * Writes weights as F32, in which a CPU computes, into one file of the cache, where later calls find it: F16 and BF16
 * weights of files, and weights in memory. The conversion is exact. Throws CheckpointError for other dtypes, StorageError if
 * the disk has too little room.
 */
export async function expandWeights(
  refs: readonly TensorRef[],
  { cache, signal, onProgress }: Work & { cache: Cache },
): Promise<ExpandedWeights> {
  const identityOf = await identities(refs);
  const files = [...new Set(identityOf.values())];
  const offsets: number[] = [];
  let total = 0;
  for (const { shape } of refs) {
    offsets.push(total);
    total += Math.ceil((4 * sizeOf(shape)) / page) * page;
  }
  const layout = refs.map(({ source, offset, length, dtype, shape }) => {
    return [source.path ?? identityOf.get(source), offset, length, dtype, shape];
  });
  const key = { kind: "weights", of: { files, layout } };
  const make = async (folder: string): Promise<void> => {
    await requireSpace(folder, total, "expanded weights");
    const file = await open(join(folder, fileName), "wx");
    try {
      await file.truncate(total);
      for (const [i, ref] of refs.entries()) {
        let at = offsets[i];
        for (const piece of portions(ref)) {
          throwIfCancelled(signal, "expanding weights");
          const { data } = await readTensor(piece);
          await writeAll(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
          at += data.byteLength;
        }
        onProgress?.({ phase: "expand weights", done: offsets[i + 1] ?? total, total, unit: "bytes" });
      }
    } finally {
      await file.close();
    }
  };
  const entry = await cache.acquire(key, make, signal);
  const source = await openLocalFile(join(entry.folder, fileName));
  return {
    refs: refs.map((ref, i) => ({ ...ref, dtype: "F32", source, offset: offsets[i], length: 4 * sizeOf(ref.shape) })),
    release: entry.release,
  };
}
