import { z } from "zod";
import { blobId } from "../api/ids.ts";
import { modelDescription } from "../api/index.ts";

/** Most bytes of a piece of a file. Small enough for a download that breaks to lose little. */
export const PIECE_BYTES = 4 << 20;

/** A file in pieces, with its hash. Each piece is a file of the site that is named after its own hash. */
const pieces = z.strictObject({ path: z.string(), bytes: z.int(), sha256: blobId, pieces: z.array(blobId) });

/** A model of a static site. */
const siteModel = z.strictObject({
  name: z.string(),
  files: z.array(pieces),
  /** Absent: it is no model to edit with, such as a judge. */
  description: modelDescription.optional(),
});

/** The models of a static site, as its file models.json has them. */
export const siteModels = z.strictObject({ version: z.string(), models: z.array(siteModel) });

/** Place of the file, and folder of the pieces, from the page on. */
export const [MODELS_FILE, PIECES_FOLDER] = ["models/models.json", "models/pieces"];

export type SiteModel = z.infer<typeof siteModel>;
export type SiteModels = z.infer<typeof siteModels>;
