import { copyFile, link, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { HubError, Progress } from "../../core/index.ts";
import { checkPipeline, type Folder, readJsonObject } from "../../weights/index.ts";
import { openLocal, openLocalFile } from "../files.ts";
import { cacheFolder } from "../places.ts";
import { requireSpace } from "../space.ts";
import type { Subject } from "./answers.ts";
import { choosePipeline, shardsOf } from "./choose.ts";
import { Hub } from "./client.ts";
import { bytesThere, fetchFile } from "./fetchFile.ts";
import { type HubFile, isIntact } from "./files.ts";
import { atSite, type InstalledModel, type InstallOptions, install, readRecord, type Site } from "./install.ts";
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
    const delivery = new Delivery(site, join(cache, "hashes"), gauge, options, (file, from) =>
      hub.open(subject, commit, file.path, from),
    );
    // What kind of model it is comes first: it may be one of another kind.
    const index = files.get("model_index.json");
    if (index) await delivery.bring([index]);
    await checkPipeline((await openLocal(site.staging)) as Folder);
    const paths = [...files.keys()];
    const choice = choosePipeline(subject.name, paths, variant);
    const small = choice.small.map((path) => files.get(path)!);
    await delivery.bring(small, SMALL_AT_ONCE);

    const weights: string[] = [];
    for (const path of choice.weights) {
      if (path.endsWith(".safetensors")) weights.push(path);
      else weights.push(...shardsOf(await readJsonObject(await openLocalFile(join(site.staging, path))), path, paths));
    }
    const large = weights.map((path) => files.get(path)!);
    gauge.phase("download", sum(large));
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
    return { ...record, path: site.final, files: all.length, bytes: sum(all), moved: delivery.fetched };
  });
}

const sum = (files: readonly HubFile[]): number => files.reduce((bytes, { size }) => bytes + size, 0);

/** How far the work is. Bytes may be taken back where they have to be fetched again. */
class Gauge {
  private state: Progress = { phase: "look up", done: 0, total: 1 };
  private readonly tell: (progress: Progress) => void;

  constructor(tell: ((progress: Progress) => void) | undefined) {
    this.tell = tell ?? (() => undefined);
  }

  phase(phase: string, total: number): void {
    this.state = { phase, done: 0, total, ...(phase === "download" && { unit: "bytes" }) };
    this.tell(this.state);
  }

  bytes(count: number): void {
    // Small files are part of looking up.
    if (this.state.unit !== "bytes") return;
    this.state = { ...this.state, done: this.state.done + count };
    this.tell(this.state);
  }

  waits({ message }: HubError, ms: number): void {
    const note = `${message.split("\n")[0].replace(/\.$/, "")}; trying again in ${Math.ceil(ms / 1000)} s`;
    this.tell({ ...this.state, phase: "wait for the hub", note });
  }
}

/** Brings files of the hub into the staging folder, the cheapest way there is. */
class Delivery {
  /** Bytes of the files that came from the hub, whole or the rest of them. */
  fetched = 0;
  /** Whether the model in place has every file that was brought so far. */
  onlyFromFinal = true;
  private readonly site: Site;
  private readonly hashes: string;
  private readonly gauge: Gauge;
  private readonly options: PullOptions;
  private readonly open: (file: HubFile, from: number) => ReturnType<Hub["open"]>;

  constructor(site: Site, hashes: string, gauge: Gauge, options: PullOptions, open: Delivery["open"]) {
    this.site = site;
    this.hashes = hashes;
    this.gauge = gauge;
    this.options = options;
    this.open = open;
  }

  /** Fetches what is not here of `files`, `atOnce` at a time. */
  async bring(files: readonly HubFile[], atOnce = 1): Promise<void> {
    const { staging } = this.site;
    const lacking: HubFile[] = [];
    let there = 0;
    for (const file of files) {
      if (await this.isHere(file)) there += file.size;
      else lacking.push(file);
    }
    for (const file of lacking) there += await bytesThere(join(staging, file.path), file);
    this.gauge.bytes(there);
    await requireSpace(staging, sum(files) - there, "the model");
    for (let i = 0; i < lacking.length; i += atOnce) {
      const outcomes = await Promise.allSettled(lacking.slice(i, i + atOnce).map((file) => this.fetch(file)));
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    }
  }

  private async fetch(file: HubFile): Promise<void> {
    const { signal, persistence = defaultPersistence } = this.options;
    await fetchFile(file, join(this.site.staging, file.path), (from) => this.open(file, from), {
      persistence,
      signal,
      onWait: (reason, ms) => this.gauge.waits(reason, ms),
      onBytes: (bytes) => {
        this.fetched += Math.max(0, bytes);
        this.gauge.bytes(bytes);
      },
    });
  }

  /** Whether a file need not be fetched: it is in staging, or in the model that is in place, from where it is linked. */
  private async isHere(file: HubFile): Promise<boolean> {
    const { signal, onProgress } = this.options;
    const staged = join(this.site.staging, file.path);
    const placed = join(this.site.final, file.path);
    const isStaged = await isIntact(staged, file, this.hashes, { signal, onProgress });
    if (!(await isIntact(placed, file, this.hashes, { signal, onProgress }))) {
      this.onlyFromFinal = false;
      return isStaged;
    }
    if (!isStaged) {
      await mkdir(dirname(staged), { recursive: true });
      await rm(staged, { force: true });
      await link(placed, staged).catch(() => copyFile(placed, staged));
    }
    return true;
  }
}

/** Removes what an earlier work on another revision or variant left. */
async function removeOthers(folder: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && !wanted.has(relative(folder, path).replaceAll("\\", "/"))) await rm(path);
  }
}
