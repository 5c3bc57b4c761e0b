import { sha256, type Work } from "../../../core/index.ts";
import type { MetricNetworks } from "../../../metrics/node/index.ts";
import { hashSource } from "../../../storage/index.ts";
import { openLocal } from "../../../storage/node/index.ts";

/** Files of a model folder that decide what it computes. */
const relevant = /\.(safetensors|json|txt)$/;

/** Returns a hash of a file, or of the files directly in a folder. Throws CheckpointError, StorageError, CancelledError. */
async function hashOf(path: string, work: Work): Promise<string> {
  const opened = await openLocal(path);
  if (!("list" in opened)) return hashSource(opened, work);
  const files = (await opened.list()).filter(({ kind, name }) => kind === "file" && relevant.test(name));
  const hashes: string[] = [];
  for (const { name } of files) hashes.push(`${name} ${await hashSource(await opened.open(name), work)}`);
  return sha256(hashes.join("\n"));
}

/** Returns hashes of the networks that measure, by name, so that a run does not mix the values of two. */
export async function networkHashes(
  { judge, clip, lpips = {}, pieClip, dino, structurePixels = "pie-bench" }: MetricNetworks,
  work: Work,
): Promise<Record<string, string>> {
  const own = { judge, clip, "pie-clip": pieClip };
  const named = [
    ...Object.entries(own).map(([name, path]) => ({ name, paths: path === undefined ? [] : [path], mark: "" })),
    ...Object.entries(lpips).map(([net, { trunk, linear }]) => ({
      name: `lpips-${net}`,
      paths: [trunk, linear],
      mark: "",
    })),
    { name: "dino", paths: dino === undefined ? [] : [dino], mark: structurePixels },
  ];
  const hashes: Record<string, string> = {};
  for (const { name, paths, mark } of named) {
    if (paths.length === 0) continue;
    const parts: string[] = [mark];
    for (const path of paths) parts.push(await hashOf(path, work));
    hashes[name] = sha256(parts.join("\n")).slice(0, 16);
  }
  return hashes;
}
