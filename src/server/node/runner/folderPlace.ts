import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type PreparedCache, preparedFile } from "../../../editing/node/index.ts";
import { encodePicture } from "../../../image/node/index.ts";
import { writeFileAtomic } from "../../../storage/node/index.ts";
import type { JobPlace, NeededPreparation } from "../../runner/index.ts";
import type { RunnerJob } from "./messages.ts";
import { previewUrl } from "./preview.ts";

/** The parts of its process that a job's folder needs. */
export interface FolderFacts {
  /** DDIM inversions of the process, which methods share. */
  readonly cache: PreparedCache;
  /** Waits until the file of a preparation is there, if the store has one. */
  readonly need: (preparation: NeededPreparation) => Promise<void>;
}

/** Returns the place of a job whose files lie in a folder. */
export const folderPlace = ({ pictures, folder, stepsEveryMs }: RunnerJob, { cache, need }: FolderFacts): JobPlace => ({
  folder,
  readPicture: async (id) => new Uint8Array(await readFile(pictures[id])),
  pictureName: (id) => pictures[id] ?? id,
  write: (file, bytes) => writeFileAtomic(join(folder, file), bytes),
  async openSteps(preparation) {
    await need(preparation);
    const { trajectories } = cache;
    return preparedFile(join(folder, preparation.file), { everyMs: stepsEveryMs, trajectories });
  },
  encodePng: (picture, facts) => encodePicture(picture, { format: "png", ...facts }),
  encodePreview: previewUrl,
});
