import { join } from "node:path";
import { writeFileAtomic } from "../../storage/node/index.ts";
import type { Study } from "../rating/index.ts";

/** Writes what people can rate into the folder of its run. */
export const writeStudy = (folder: string, study: Study): Promise<void> =>
  writeFileAtomic(join(folder, "rating.json"), JSON.stringify(study));
