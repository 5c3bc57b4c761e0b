import { createHash } from "node:crypto";
import { Random } from "../../src/core/index.ts";
import { parseScene, type Scene, sampleScene } from "../../src/world/index.ts";

/** A scene from what matters to a test; seeds of the validation split unless said. */
export const scene = (fields: Partial<Scene> = {}): Scene =>
  parseScene({ animal: "dog", viewSeed: 1, bodySeed: 5, ...fields });

/** The same in the second edition. */
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
