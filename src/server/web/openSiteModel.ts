import { CheckpointError } from "../../core/index.ts";
import { openModel } from "../../diffusion/index.ts";
import { PreparedFiles } from "../../editing/index.ts";
import { decodePhoto } from "../../image/web/index.ts";
import { startEngine } from "../../runtime/web/index.ts";
import { type ByteSource, type Folder, openCheckpoint } from "../../weights/index.ts";
import { blobFolder } from "./blobFolder.ts";
import type { Handle } from "./folders.ts";
import type { ModelFiles, OpenModel } from "./models.ts";
import { StepFiles } from "./stepFiles.ts";

/** A Menagerie has a tokenizer of its own. */
const noMerges = async (): Promise<ByteSource> => {
  throw new CheckpointError("this model has no tokenizer", { advice: "Use a folder with its tokenizer." });
};

/** Opens models of a site on WebAssembly. steps: the folder in which the steps of preparations are kept. */
export const openSiteModel =
  (steps: Handle): OpenModel =>
  async (name, files, filesOf, { readPicture }) => {
    const store = new PreparedFiles(new StepFiles(steps), { everyMs: 1000 });
    const folderOf = (of: string, own: ModelFiles): Folder => blobFolder(of, own);
    const model = await openModel(await openCheckpoint(folderOf(name, files)), {
      name,
      platform: {
        openModel: async (other) => folderOf(other, await filesOf(other)),
        decodePhoto: async (file) => decodePhoto(typeof file === "string" ? await readPicture(file) : file),
        merges: noMerges,
      },
      startEngine: () => startEngine(),
    });
    return { model, steps: async () => store };
  };
