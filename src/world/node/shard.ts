import { join } from "node:path";
import { Random } from "../../core/index.ts";
import { requireFolder, writeFileAtomic } from "../../storage/node/index.ts";
import { encodeSafetensors } from "../../weights/index.ts";
import { attributes } from "../attributes.ts";
import { captions } from "../caption.ts";
import { render } from "../render.ts";
import { type SampleOptions, sampleScene } from "../split.ts";

/** Pictures in a shard. The last shard of a set may have fewer. */
export const SHARD_SIZE = 500;
const CAPTIONS = 8;

/** A data set of random scenes. These numbers determine every byte of it. */
export interface ShardSet extends SampleOptions {
  readonly count: number;
  readonly seed: number;
  /** Width and height of a picture. */
  readonly size: number;
}

/** Returns the number of shards in a set. */
export const shardCount = ({ count }: ShardSet): number => Math.ceil(count / SHARD_SIZE);

/** Returns the number of pictures in shard `index`. */
export const picturesIn = ({ count }: ShardSet, index: number): number =>
  Math.min(SHARD_SIZE, count - index * SHARD_SIZE);

export const shardFiles = (folder: string, index: number): { pictures: string; lines: string } => {
  const name = String(index).padStart(5, "0");
  return { pictures: join(folder, `${name}.safetensors`), lines: join(folder, `${name}.jsonl`) };
};

/**
 * Renders shard `index` and writes its two files. The pictures come last, so if they are there, the shard is finished.
 * "images": U8 [n, size, size, 3]. Each shard has its own random stream, so shards can be made in any order.
 */
export async function writeShard(set: ShardSet, index: number, folder: string, onPicture?: () => void): Promise<void> {
  const { split, seed, size } = set;
  const n = picturesIn(set, index);
  const random = new Random(seed, 1 + index);
  const images = new Uint8Array(n * size * size * 3);
  const lines: string[] = [];
  for (let i = 0; i < n; i++) {
    const scene = sampleScene(random, set);
    images.set(render(scene, size).data, i * size * size * 3);
    lines.push(JSON.stringify({ scene, attributes: attributes(scene), captions: captions(scene, CAPTIONS, random) }));
    onPicture?.();
  }
  const files = shardFiles(folder, index);
  await requireFolder(folder);
  await writeFileAtomic(files.lines, `${lines.join("\n")}\n`);
  const tensors = { images: { dtype: "U8", shape: [n, size, size, 3], data: images } } as const;
  await writeFileAtomic(files.pictures, encodeSafetensors(tensors, { split, seed: `${seed}`, shard: `${index}` }));
}
