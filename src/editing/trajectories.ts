import { startSha256, type Tensor } from "../core/index.ts";
import type { InversionInput, Trajectories } from "../inversion/index.ts";
import type { FileCache } from "../storage/index.ts";
import { encodeSafetensors, readSafetensors, readTensor } from "../weights/index.ts";
import { orUndefined } from "./orUndefined.ts";

const fileOf = (of: string) => ({ kind: "inversion", of, name: "trajectory.safetensors" });
/** Name of the tensor in the file. */
const name = "trajectory";

/** Trajectories kept in memory. At 512 x 512 pixels and 50 steps one has 3.3 MB. */
const mostInMemory = 8;

/**
 * Keeps the DDIM inversions of this process in memory and, with a cache of files, those of all processes there. A cache that
 * cannot be read or written costs time only, so this is not an error.
 */
export class TrajectoryCache implements Trajectories {
  private readonly files: FileCache | undefined;
  /** The last trajectories, oldest first. */
  private readonly recent = new Map<string, Tensor>();

  constructor(files?: FileCache) {
    this.files = files;
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
    await orUndefined(async () => this.files?.write(fileOf(key), bytes));
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
    const file = await this.files?.open(fileOf(key));
    if (!file) return undefined;
    try {
      const { tensors } = await readSafetensors(file.source);
      const found = tensors.get(name);
      return found && (await readTensor(found));
    } finally {
      await file.release();
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
