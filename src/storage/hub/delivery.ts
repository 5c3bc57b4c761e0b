import { copyFile, link, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HubError, Progress, Work } from "../../core/index.ts";
import { makeFolder } from "../folders.ts";
import { requireSpace } from "../space.ts";
import type { Transfer } from "./client.ts";
import { bytesThere, fetchFile } from "./fetchFile.ts";
import { type HubFile, isIntact, totalSize } from "./files.ts";
import type { Site } from "./install.ts";
import type { Persistence } from "./persistence.ts";

/** How far the work is. Bytes may be taken back where they have to be fetched again. */
export class Gauge {
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

export interface DeliveryWork extends Work {
  persistence: Persistence;
}

/** Brings files of the hub into the staging folder, the cheapest way there is. */
export class Delivery {
  /** Bytes of the files that came from the hub, whole or the rest of them. */
  fetched = 0;
  /** Whether the model in place has every file that was brought so far. */
  onlyFromFinal = true;
  private readonly site: Site;
  private readonly hashes: string;
  private readonly gauge: Gauge;
  private readonly work: DeliveryWork;
  private readonly open: (file: HubFile, from: number) => Promise<Transfer>;

  constructor(site: Site, hashes: string, gauge: Gauge, work: DeliveryWork, open: Delivery["open"]) {
    this.site = site;
    this.hashes = hashes;
    this.gauge = gauge;
    this.work = work;
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
    await requireSpace(staging, totalSize(files) - there, "the model");
    for (let i = 0; i < lacking.length; i += atOnce) {
      const outcomes = await Promise.allSettled(lacking.slice(i, i + atOnce).map((file) => this.fetch(file)));
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    }
  }

  private async fetch(file: HubFile): Promise<void> {
    const { signal, persistence } = this.work;
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
    const { signal, onProgress } = this.work;
    const staged = join(this.site.staging, file.path);
    const placed = join(this.site.final, file.path);
    const isStaged = await isIntact(staged, file, this.hashes, { signal, onProgress });
    if (!(await isIntact(placed, file, this.hashes, { signal, onProgress }))) {
      this.onlyFromFinal = false;
      return isStaged;
    }
    if (!isStaged) {
      await makeFolder(dirname(staged));
      await rm(staged, { force: true });
      await link(placed, staged).catch(() => copyFile(placed, staged));
    }
    return true;
  }
}
