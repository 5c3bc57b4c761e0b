import { join } from "node:path";
import { startSha256, type Tensor } from "../../core/index.ts";
import type { InversionInput, Trajectories } from "../../inversion/index.ts";
import { type DiskCache, openLocalFile, writeFileAtomic } from "../../storage/node/index.ts";
import { encodeSafetensors, readSafetensors, readTensor } from "../../weights/index.ts";
import { orUndefined } from "./orUndefined.ts";

/** Kind of the entries in the disk cache. */
const kind = "inversion";
const file = "trajectory.safetensors";
const name = "trajectory";

/** Trajectories kept in memory. At 512 x 512 pixels and 50 steps one has 3.3 MB. */
const mostInMemory = 8;

/**
 * Keeps the DDIM inversions of this process in memory and, with a disk cache, of all processes on disk. A disk that cannot be
 * read or written costs time only, so this is not an error.
 */
export class TrajectoryCache implements Trajectories {
  private readonly disk: DiskCache | undefined;
  /** The last trajectories, oldest first. */
  private readonly recent = new Map<string, Tensor>();

  constructor(disk?: DiskCache) {
    this.disk = disk;
  }

  async find(input: InversionInput): Promise<Tensor | undefined> {
    const key = keyOf(input);
    const found = this.recent.get(key) ?? (await orUndefined(() => this.read(key)));
    const shape = [input.timesteps.length + 1, ...input.photo.shape.slice(1)];
    if (!found || `${found.shape}` !== `${shape}`) return undefined;
    this.remember(key, found);
    return { shape, data: found.data.slice() };
  }

  async keep(input: InversionInput, { shape, data }: Tensor): Promise<void> {
    const key = keyOf(input);
    const kept = { shape, data: data.slice() };
    this.remember(key, kept);
    const bytes = encodeSafetensors({ [name]: { dtype: "F32", ...kept } }, {});
    await orUndefined(async () =>
      this.disk?.put({ kind, of: key }, (folder) => writeFileAtomic(join(folder, file), bytes)),
    );
  }

  private remember(key: string, trajectory: Tensor): void {
    this.recent.delete(key);
    this.recent.set(key, trajectory);
    for (const oldest of this.recent.keys()) {
      if (this.recent.size <= mostInMemory) return;
      this.recent.delete(oldest);
    }
  }

  private async read(key: string): Promise<Tensor | undefined> {
    const entry = await this.disk?.get({ kind, of: key });
    if (!entry) return undefined;
    try {
      const { tensors } = await readSafetensors(await openLocalFile(join(entry.folder, file)));
      const found = tensors.get(name);
      return found && (await readTensor(found));
    } finally {
      await entry.release();
    }
  }
}

/** Returns a hash of everything that a trajectory depends on. Without guidance, the empty prompt is not used. */
function keyOf({ origin, timesteps, photo, prompt: { context, empty, guidance } }: InversionInput): string {
  const hash = startSha256().update(JSON.stringify([Object.entries(origin).sort(), timesteps, guidance]));
  for (const { shape, data } of [photo, context, ...(guidance === 1 ? [] : [empty])]) {
    hash.update(JSON.stringify(shape)).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest();
}
