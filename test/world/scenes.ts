import { createHash } from "node:crypto";
import { type Mask, Random } from "../../src/core/index.ts";
import { parseScene, type Scene, SPLITS, type Split, sampleScene } from "../../src/world/index.ts";
import { compose } from "../../src/world/shot.ts";
import { FIRST_PART, Tracer } from "../../src/world/trace.ts";

/** A scene of the first edition, by default with seeds of the validation split. */
export const scene = (fields: Partial<Scene> = {}): Scene =>
  parseScene({ animal: "dog", viewSeed: 1, bodySeed: 5, ...fields });

/** A scene of the second edition. */
export const second = (fields: Partial<Scene> = {}): Scene => scene({ edition: 2, ...fields });

/** Random scenes of the second edition. */
export function sampled(count: number, seed: number): Scene[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => sampleScene(random, { split: "validation", edition: 2 }));
}

export const sha256 = (data: Uint8Array | string): string =>
  createHash("sha256").update(data).digest("hex").slice(0, 16);

/** Share of pixels in which two pictures of one size differ by more than `least` grey levels in some channel. */
export function changedShare(a: Uint8Array, b: Uint8Array, least = 12): number {
  let changed = 0;
  for (let i = 0; i < a.length; i += 3) {
    if ([0, 1, 2].some((c) => Math.abs(a[i + c] - b[i + c]) > least)) changed++;
  }
  return changed / (a.length / 3);
}

/** The split whose seeds a scene has. Undefined if its two seeds belong to different splits. */
export function splitOf({ viewSeed, bodySeed }: Scene): Split | undefined {
  return viewSeed % SPLITS.length === bodySeed % SPLITS.length ? SPLITS[viewSeed % SPLITS.length] : undefined;
}

/** 255 at pixels whose middle shows the animal or a thing that it wears or has beside it. */
export function silhouette(scene: Scene, size: number): Mask {
  const tracer = new Tracer(compose(scene), scene.place);
  const data = new Uint8Array(size * size);
  const pixel = 2 / size;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      tracer.see((x + 0.5) * pixel - 1, 1 - (y + 0.5) * pixel, pixel);
      if (tracer.met >= FIRST_PART) data[i] = 255;
    }
  }
  return { width: size, height: size, data };
}

/** Scenes whose bytes tests keep, with the size of the picture. */
export const keptScenes: readonly { readonly fields: Partial<Scene>; readonly size: number }[] = [
  { fields: { animal: "dog", pose: "lying down" }, size: 128 },
  { fields: { animal: "giraffe", place: "snow", facing: "left" }, size: 64 },
  { fields: { animal: "cow", place: "stone floor", wearing: "red hat", colour: "white" }, size: 64 },
  { fields: { animal: "horse", place: "beach", style: "watercolour", beside: "blue ball" }, size: 64 },
  { fields: { animal: "bird", pose: "spreading its wings", style: "pencil drawing" }, size: 64 },
  { fields: { animal: "cat", place: "room", framing: "portrait", expression: "smiling" }, size: 64 },
];
