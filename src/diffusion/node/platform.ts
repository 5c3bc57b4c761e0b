import { decodePhoto } from "../../image/node/index.ts";
import { findModel, openLocal, openPackageFile } from "../../storage/node/index.ts";
import { CLIP_MERGES } from "../../text/index.ts";
import type { Platform } from "../platform.ts";

/** Node: models on this disk, photos by their paths. */
export const nodePlatform: Platform = {
  openModel: async (name) => openLocal((await findModel(name)).path),
  decodePhoto: async (file) => decodePhoto(file instanceof Blob ? new Uint8Array(await file.arrayBuffer()) : file),
  merges: () => openPackageFile(CLIP_MERGES),
};
