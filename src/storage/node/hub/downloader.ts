import { copyFile, link, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Work } from "../../../core/index.ts";
import { makeFolder } from "../folders.ts";
import { requireSpace } from "../space.ts";
import { bytesOnDisk, downloadFile } from "./downloadFile.ts";
import { type HubFile, matchesHub, totalSize } from "./files.ts";
import type { InstallFolders } from "./install.ts";
import type { PullProgress } from "./progress.ts";
import type { Transfer } from "./requests.ts";
import type { RetryPolicy } from "./retry.ts";

export interface DownloaderOptions extends Work {
  folders: InstallFolders;
  /** Remembers hashes of large files. */
  hashes: string;
  progress: PullProgress;
  policy: RetryPolicy;
  /** Starts a transfer of a file at a byte. */
  start: (file: HubFile, from: number) => Promise<Transfer>;
}

/** Puts files of the hub into the staging folder. Files that are on disk already are not downloaded again. */
export class Downloader {
  /** Bytes that came from the hub. */
  downloaded = 0;
  /** True if the installed model has every file requested so far. */
  allInstalled = true;
  private readonly options: DownloaderOptions;

  constructor(options: DownloaderOptions) {
    this.options = options;
  }

  /** Downloads the missing files, `atOnce` at a time. */
  async get(files: readonly HubFile[], atOnce = 1): Promise<void> {
    const { folders, progress } = this.options;
    const missing: HubFile[] = [];
    let present = 0;
    for (const file of files) {
      if (await this.isOnDisk(file)) present += file.size;
      else missing.push(file);
    }
    for (const file of missing) present += await bytesOnDisk(join(folders.staging, file.path), file);
    progress.bytes(present);
    await requireSpace(folders.staging, totalSize(files) - present, "the model");
    for (let i = 0; i < missing.length; i += atOnce) {
      const outcomes = await Promise.allSettled(missing.slice(i, i + atOnce).map((file) => this.download(file)));
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    }
  }

  private async download(file: HubFile): Promise<void> {
    const { folders, progress, policy, signal, start } = this.options;
    await downloadFile(file, join(folders.staging, file.path), (from) => start(file, from), {
      policy,
      signal,
      onWait: (reason, ms) => progress.waiting(reason, ms),
      onBytes: (bytes) => {
        this.downloaded += Math.max(0, bytes);
        progress.bytes(bytes);
      },
    });
  }

  /** True if a file is in staging, or in the installed model, from which it is then linked into staging. */
  private async isOnDisk(file: HubFile): Promise<boolean> {
    const { folders, hashes, signal, onProgress } = this.options;
    const staged = join(folders.staging, file.path);
    const installed = join(folders.final, file.path);
    const isStaged = await matchesHub(staged, file, hashes, { signal, onProgress });
    if (!(await matchesHub(installed, file, hashes, { signal, onProgress }))) {
      this.allInstalled = false;
      return isStaged;
    }
    if (!isStaged) {
      await makeFolder(dirname(staged));
      await rm(staged, { force: true });
      await link(installed, staged).catch(() => copyFile(installed, staged));
    }
    return true;
  }
}
