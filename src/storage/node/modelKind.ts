import { type Folder, isClipFolder, snapshotOf } from "../../weights/index.ts";

/** openCheckpoint opens the first two, openModelFolder a CLIP. */
export type ModelKind = "diffusers folder" | "single file" | "CLIP";

/** Returns the kind of the model in a folder, also in an entry of the Hugging Face cache. Undefined if baret runs none like it. */
export async function kindOf(model: Folder): Promise<ModelKind | undefined> {
  const folder = await snapshotOf(model);
  const names = (await folder.list()).map((entry) => entry.name);
  if (names.includes("model_index.json") || names.includes("unet")) return "diffusers folder";
  return (await isClipFolder(folder)) ? "CLIP" : undefined;
}
