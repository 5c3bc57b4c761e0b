import { signal } from "@preact/signals";
import type { JobId } from "../../../src/server/api/index.ts";
import { PHOTO } from "./shown.ts";

/** Keys of the two pictures that the stage compares. */
export interface Pair {
  readonly left: string;
  readonly right: string;
}

/** Chosen pairs. A job without one shows its photo and its first picture. */
const pairs = signal<ReadonlyMap<JobId, Partial<Pair>>>(new Map());

/** Returns the pair of a job. first: the picture to show if none is chosen. */
export const pairOf = (id: JobId, first: string): Pair => ({ left: PHOTO, right: first, ...pairs.value.get(id) });

/** Chooses a picture for one side or both. */
export function choosePictures(id: JobId, chosen: Partial<Pair>): void {
  pairs.value = new Map(pairs.value).set(id, { ...pairs.value.get(id), ...chosen });
}
