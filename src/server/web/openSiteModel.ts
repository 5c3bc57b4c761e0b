import { CheckpointError } from "../../core/index.ts";
import { openModel } from "../../diffusion/index.ts";
import { PreparedCache } from "../../editing/web/index.ts";
import { decodePhoto } from "../../image/web/index.ts";
import { startEngine } from "../../runtime/web/index.ts";
import { type ByteSource, openCheckpoint } from "../../weights/index.ts";
import type { OpenModel } from "./models.ts";

/** A Menagerie has a tokenizer of its own. */
const noMerges = async (): Promise<ByteSource> => {
  throw new CheckpointError("this model has no tokenizer", { advice: "Use a folder with its tokenizer." });
};

/** Most bytes of the steps of all preparations. A prepared photo at 128 x 128 pixels and 50 steps has 3 MB. */
const MOST_STEP_BYTES = 200e6;

/** Opens models of a site on WebAssembly. steps: name of the cache for the steps of preparations. */
export const openSiteModel =
  (steps: string): OpenModel =>
  async (name, files, other, { readPicture }) => {
    const store = new PreparedCache({ folder: steps, maxBytes: MOST_STEP_BYTES, everyMs: 1000 });
    const model = await openModel(await openCheckpoint(files), {
      name,
      platform: {
        openModel: async (related) => other(related),
        decodePhoto: async (file) => decodePhoto(typeof file === "string" ? await readPicture(file) : file),
        merges: noMerges,
      },
      startEngine: () => startEngine(),
    });
    return { model, steps: async () => store };
  };
