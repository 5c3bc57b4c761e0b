import { open } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, sizeOf, throwIfCancelled, type Work } from "../../core/index.ts";
import { readTensor, type TensorRef } from "../../weights/index.ts";
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

async function identities(refs: readonly TensorRef[]): Promise<Map<string, FileIdentity>> {
  const found = new Map<string, FileIdentity>();
  for (const { source } of refs) {
    if (!source.path) throw new CheckpointError("weights in memory cannot be expanded on disk", { where: source.name });
    if (!found.has(source.path)) found.set(source.path, await fileIdentity(source.path));
  }
  return found;
}

/**
 * Converts F16 and BF16 weights to F32, in which a CPU computes. The conversion is exact. The result is one file of the
 * cache, where later calls find it. Throws CheckpointError for other dtypes, StorageError if the disk has too little room.
 */
export async function expandWeights(
  refs: readonly TensorRef[],
  { cache, signal, onProgress }: Work & { cache: Cache },
): Promise<ExpandedWeights> {
  const files = await identities(refs);
  const offsets: number[] = [];
  let total = 0;
  for (const { shape } of refs) {
    offsets.push(total);
    total += Math.ceil((4 * sizeOf(shape)) / page) * page;
  }
  const layout = refs.map(({ source, offset, length, dtype, shape }) => [source.path, offset, length, dtype, shape]);
  const key = { kind: "weights", of: { files: [...files.values()], layout } };
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
