import { openModel, type Platform } from "../../diffusion/index.ts";
import { PreparedCache } from "../../editing/web/index.ts";
import { decodePhoto } from "../../image/web/index.ts";
import { startEngine } from "../../runtime/web/index.ts";
import type { LoadWork } from "../page/index.ts";
import { merges } from "./merges.ts";
import type { ModelToOpen, OpenModel } from "./models.ts";

/** Most bytes of the steps of all preparations. A prepared photo at 128 x 128 pixels and 50 steps has 3 MB. */
const MOST_STEP_BYTES = 200e6;

/** What a model needs of the page. */
export const sitePlatform = (other: ModelToOpen["other"], readPicture: LoadWork["readPicture"]): Platform => ({
  openModel: async (related) => other(related),
  decodePhoto: async (file) => decodePhoto(typeof file === "string" ? await readPicture(file) : file),
  merges,
});

/** Opens models on WebAssembly or on the graphics card. steps: name of the cache for the steps of preparations. */
export const openSiteModel =
  (steps: string): OpenModel =>
  async ({ name, checkpoint, runs: { device }, other }, { readPicture, onProgress, signal }) => {
    const store = new PreparedCache({ folder: steps, maxBytes: MOST_STEP_BYTES, everyMs: 1000 });
    const model = await openModel(checkpoint, {
      name,
      platform: sitePlatform(other, readPicture),
      startEngine: () => startEngine({ device, precision: "auto", signal }),
      onProgress,
    });
    return { model, steps: async () => store };
  };
