import { join } from "node:path";
import { Random } from "../../core/index.ts";
import { requireFolder, writeFileAtomic } from "../../storage/node.ts";
import { encodeSafetensors } from "../../weights/index.ts";
import { attributes, captions, render, type SampleOptions, sampleScene } from "../../world/index.ts";

/** Pictures in a shard; the last one of a set may have fewer. */
export const SHARD_SIZE = 500;
const CAPTIONS = 8;

/** A data set of random scenes. Everything in it follows from these numbers. */
export interface ShardSet extends SampleOptions {
  readonly count: number;
  readonly seed: number;
  /** Width and height of a picture. */
  readonly size: number;
}

export const shardCount = ({ count }: ShardSet): number => Math.ceil(count / SHARD_SIZE);

export const shardFiles = (out: string, index: number): { pictures: string; lines: string } => {
  const name = String(index).padStart(5, "0");
  return { pictures: join(out, `${name}.safetensors`), lines: join(out, `${name}.jsonl`) };
};

/**
 * Renders shard `index` and writes its two files, the pictures last: a shard whose pictures are there is finished.
 * "images": U8 [n, size, size, 3]. Each shard has its own stream of the seed, so shards can be made in any order.
 */
export async function writeShard(set: ShardSet, index: number, out: string, onPicture?: () => void): Promise<void> {
  const { split, count, seed, size } = set;
  const n = Math.min(SHARD_SIZE, count - index * SHARD_SIZE);
  const random = new Random(seed, 1 + index);
  const images = new Uint8Array(n * size * size * 3);
  const lines: string[] = [];
  for (let i = 0; i < n; i++) {
    const scene = sampleScene(random, set);
    images.set(render(scene, size).data, i * size * size * 3);
    lines.push(JSON.stringify({ scene, attributes: attributes(scene), captions: captions(scene, CAPTIONS, random) }));
    onPicture?.();
  }
  const files = shardFiles(out, index);
  await requireFolder(out);
  await writeFileAtomic(files.lines, `${lines.join("\n")}\n`);
  const tensors = { images: { dtype: "U8", shape: [n, size, size, 3], data: images } } as const;
  await writeFileAtomic(files.pictures, encodeSafetensors(tensors, { split, seed: `${seed}`, shard: `${index}` }));
}
