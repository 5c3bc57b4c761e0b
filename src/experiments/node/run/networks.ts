import { sha256, type Work } from "../../../core/index.ts";
import type { MetricNetworks } from "../../../metrics/node/index.ts";
import { hashSource } from "../../../storage/index.ts";
import { findModel, openLocal } from "../../../storage/node/index.ts";
import { snapshotOf } from "../../../weights/index.ts";

/** Files of a model folder that decide what it computes. */
const relevant = /\.(safetensors|json|txt)$/;

/** Returns a hash of a file, or of the files directly in a folder. Throws CheckpointError, StorageError, CancelledError. */
async function hashOf(path: string, work: Work): Promise<string> {
  const place = await openLocal(path);
  if (!("list" in place)) return hashSource(place, work);
  const opened = await snapshotOf(place);
  const files = (await opened.list()).filter(({ kind, name }) => kind === "file" && relevant.test(name));
  const hashes: string[] = [];
  for (const { name } of files) hashes.push(`${name} ${await hashSource(await opened.open(name), work)}`);
  return sha256(hashes.join("\n"));
}

/** Returns hashes of the networks that measure, by name, so that a run does not mix the values of two. */
export async function networkHashes(
  { judge, clip, lpips = {}, pieClip, dino }: MetricNetworks,
  work: Work,
): Promise<Record<string, string>> {
  const files: [name: string, paths: readonly string[]][] = [];
  for (const [name, given] of Object.entries({ judge, clip, "pie-clip": pieClip })) {
    if (given !== undefined) files.push([name, [(await findModel(given)).path]]);
  }
  for (const [net, { trunk, linear }] of Object.entries(lpips)) files.push([`lpips-${net}`, [trunk, linear]]);
  if (dino !== undefined) files.push(["dino", [dino]]);
  const hashes: Record<string, string> = {};
  for (const [name, paths] of files) {
    const parts: string[] = [];
    for (const path of paths) parts.push(await hashOf(path, work));
    hashes[name] = sha256(parts.join("\n")).slice(0, 16);
  }
  return hashes;
}
