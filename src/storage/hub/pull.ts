import { readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { checkPipeline, type Folder } from "../../weights/index.ts";
import { openLocal, openLocalFile } from "../files.ts";
import { cacheFolder } from "../places.ts";
import type { Subject } from "./answers.ts";
import { choosePipeline, weightFiles } from "./choose.ts";
import { Hub } from "./client.ts";
import { Delivery, Gauge } from "./delivery.ts";
import { totalSize } from "./files.ts";
import { atSite, type InstalledModel, type InstallOptions, install, readRecord } from "./install.ts";
import { parseModelName } from "./names.ts";
import { defaultPersistence, type Persistence } from "./persistence.ts";
import { type HubPlace, hubPlace } from "./place.ts";

/** Small files take as long as the way to the hub and back, so several are fetched at once. */
const SMALL_AT_ONCE = 8;

export interface PullOptions extends InstallOptions {
  /** A branch, a tag or a commit. */
  revision?: string;
  /** "fp16" for the weights in half precision. Default: the plain ones, or the only ones. */
  variant?: string;
  place?: HubPlace;
  persistence?: Persistence;
}

/**
 * Fetches the files of a Stable Diffusion model that baret needs from the hub into the cache, as a diffusers folder. What
 * is there already, whole or in part, from this revision or another, is not fetched again; every file is checked against
 * the hub's checksum before it gets its name, and the model is opened once before it gets its own.
 *
 * Throws UsageError where `name` cannot be a model's, HubError where the hub does not give the model or cannot be
 * reached, CheckpointError where it is none that baret can use (before its weights are fetched, mostly), StorageError
 * where the disk is too full or cannot be written, CancelledError when told to stop.
 */
export async function pullModel(name: string, options: PullOptions = {}): Promise<InstalledModel> {
  const { revision = "main", variant, cache = cacheFolder(), place = hubPlace(), signal } = options;
  const { persistence = defaultPersistence } = options;
  const subject: Subject = { name: parseModelName(name, { needsOwner: true }), revision };
  const gauge = new Gauge(options.onProgress);
  const hub = new Hub(place, { persistence, signal, onWait: (reason, ms) => gauge.waits(reason, ms) });

  gauge.phase("look up", 1);
  const commit = await hub.commitOf(subject);
  const files = new Map((await hub.list(subject, commit)).map((file) => [file.path, file]));
  return atSite(subject.name, cache, async (site) => {
    const delivery = new Delivery(
      site,
      join(cache, "hashes"),
      gauge,
      { persistence, signal, onProgress: options.onProgress },
      (file, from) => hub.open(subject, commit, file.path, from),
    );
    // What kind of model it is comes first: it may be one of another kind.
    const index = files.get("model_index.json");
    if (index) await delivery.bring([index]);
    await checkPipeline((await openLocal(site.staging)) as Folder);
    const paths = [...files.keys()];
    const choice = choosePipeline(subject.name, paths, variant);
    const small = choice.small.map((path) => files.get(path)!);
    await delivery.bring(small, SMALL_AT_ONCE);

    const weights = await weightFiles(choice, paths, (path) => openLocalFile(join(site.staging, path)));
    const large = weights.map((path) => files.get(path)!);
    gauge.phase("download", totalSize(large));
    await delivery.bring(large);

    const all = [...small, ...large];
    const record = { name: subject.name, commit, ...(variant && { variant }) };
    const old = await readRecord(site.final);
    const isSame = old?.commit === commit && old.variant === variant;
    if (isSame && delivery.onlyFromFinal) await rm(site.staging, { recursive: true, force: true });
    else {
      await removeOthers(site.staging, new Set(all.map(({ path }) => path)));
      await install(site, record);
    }
    return { ...record, path: site.final, files: all.length, bytes: totalSize(all), moved: delivery.fetched };
  });
}

/** Removes what an earlier work on another revision or variant left. */
async function removeOthers(folder: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && !wanted.has(relative(folder, path).replaceAll("\\", "/"))) await rm(path);
  }
}
