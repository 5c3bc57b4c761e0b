import { CheckpointError, few } from "../core/index.ts";
import { type Folder, subfolder } from "./source.ts";

/**
 * Finds the model's folder in an entry of the Hugging Face cache ("models--org--name", with blobs/, refs/ and snapshots/):
 * the snapshot that refs/main names, or the only one. Returns any other folder unchanged. Throws CheckpointError if several
 * snapshots could be meant.
 */
export async function snapshotOf(folder: Folder): Promise<Folder> {
  const parts = new Set((await folder.list()).filter((e) => e.kind === "folder").map((e) => e.name));
  if (!parts.has("snapshots") || !(parts.has("refs") || parts.has("blobs"))) return folder;
  const snapshots = (await folder.list("snapshots")).filter((e) => e.kind === "folder").map((e) => e.name);
  const refs = (await folder.list("refs")).map((e) => e.name);
  const main = refs.includes("main") ? await readRevision(folder) : snapshots.length === 1 ? snapshots[0] : undefined;
  if (main === undefined || !snapshots.includes(main)) {
    throw new CheckpointError("several snapshots of this cached model could be meant", {
      where: folder.name,
      found: few(snapshots) || "no snapshot",
      expected: main ?? "refs/main",
      advice: "Give the folder of the snapshot itself.",
    });
  }
  return subfolder(folder, `snapshots/${main}`);
}

async function readRevision(folder: Folder): Promise<string> {
  const source = await folder.open("refs/main");
  return new TextDecoder().decode(await source.read(0, Math.min(source.size, 200))).trim();
}
