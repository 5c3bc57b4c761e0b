import { CheckpointError, EngineError, StorageError, sharedWork } from "../../core/index.ts";
import { findFile, type StoredFolder, writeFile } from "../../storage/web/index.ts";
import { type Checkpoint, type Folder, openCheckpoint } from "../../weights/index.ts";
import type { ModelDescription } from "../api/index.ts";
import {
  type DownloadNews,
  type LoadedModel,
  type LoadWork,
  MODELS_FILE,
  type PageModels,
  type SiteModel,
  type SiteModels,
  siteModels,
} from "../page/index.ts";
import type { ChosenModels, Runs } from "./chosen/index.ts";
import type { Pieces } from "./pieces.ts";

/** A model to load. */
export interface ModelToOpen {
  readonly name: string;
  readonly checkpoint: Checkpoint;
  readonly runs: Runs;
  /** Returns the files of a related model, such as a judge. Throws CheckpointError if there is none. */
  readonly other: (name: string) => Folder;
}

export type OpenModel = (model: ModelToOpen, work: LoadWork) => Promise<LoadedModel>;

/** A small model runs on WebAssembly: a graphics card gains little for it. */
const onWasm: Runs = { device: "cpu", precision: "float32" };

/** Reads the list of the site's models, or the one of the last visit if the host cannot be reached. Throws StorageError. */
export async function readSiteModels(folder: StoredFolder, site: string): Promise<SiteModels> {
  const url = new URL(MODELS_FILE, site);
  try {
    const response = await fetch(url, { cache: "no-cache" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const text = await response.text();
    const models = siteModels.parse(JSON.parse(text));
    await writeFile(folder, "models.json", text);
    return models;
  } catch (cause) {
    const kept = await findFile(folder, "models.json");
    if (kept) return siteModels.parse(JSON.parse(await kept.text()));
    throw new StorageError("the list of models cannot be read", {
      where: url.href,
      found: (cause as Error).message,
      advice: "Check the connection, and reload the page.",
      cause,
    });
  }
}

/**
 * The models of a static site, whose files arrive in the background, and those that the person chose on their disk. One of them is
 * loaded at a time.
 */
export class SiteModelShelf implements PageModels {
  private readonly models: readonly SiteModel[];
  private readonly pieces: Pieces;
  private readonly chosen: ChosenModels;
  private readonly open: OpenModel;
  private readonly hearers = new Set<(news: DownloadNews) => void>();
  private news: DownloadNews;
  private downloading: Promise<void> | undefined;
  private loaded: { readonly name: string; readonly model: Promise<LoadedModel> } | undefined;
  /** Hears the progress of the model that is loaded. It is the newest job's, since programs are loaded when a job needs them. */
  private onProgress: LoadWork["onProgress"] = () => undefined;

  constructor({ models }: SiteModels, pieces: Pieces, chosen: ChosenModels, open: OpenModel) {
    this.models = models;
    this.pieces = pieces;
    this.chosen = chosen;
    this.open = open;
    this.news = { news: "download", done: 0, total: pieces.bytesOf(models) };
  }

  descriptions(): readonly ModelDescription[] {
    return [...this.models.flatMap(({ description }) => description ?? []), ...this.chosen.descriptions()];
  }

  deviceOf(name: string): string {
    const { device, precision } = this.chosen.runsOf(name) ?? onWasm;
    return device === "cpu" ? "wasm" : `${device} ${precision}`;
  }

  isReady(name: string | undefined): boolean {
    return name === undefined || this.chosen.isReady(name);
  }

  listen(hear: (news: DownloadNews) => void): void {
    this.hearers.add(hear);
  }

  get arrived(): DownloadNews {
    return this.news;
  }

  /** Fetches the files of all models, unless that is done or on its way. Throws StorageError. */
  download(): Promise<void> {
    this.downloading ??= this.pieces
      .download(this.models, ({ done, total }) => this.tell({ done, total }))
      .catch((error: unknown) => {
        // The next edit tries again.
        this.downloading = undefined;
        const { done = 0, total = 0 } = this.news ?? {};
        this.tell({ done, total, problem: (error as Error).message });
        throw error;
      });
    return this.downloading;
  }

  async load(name: string, work: LoadWork): Promise<LoadedModel> {
    this.onProgress = work.onProgress;
    return sharedWork(() => {
      if (this.loaded?.name === name) return this.loaded.model;
      const model = this.openNow(name, { ...work, onProgress: (progress) => this.onProgress(progress) });
      this.loaded = { name, model };
      model.catch(() => {
        if (this.loaded?.model === model) this.loaded = undefined;
      });
      return model;
    }, work.signal);
  }

  private async openNow(name: string, work: LoadWork): Promise<LoadedModel> {
    const last = this.loaded?.model;
    if (last) {
      const { model } = await last;
      await model.close();
    }
    const other = (related: string) => this.filesOf(related);
    const runs = this.chosen.runsOf(name);
    if (runs) return this.open({ name, checkpoint: await this.chosen.checkpoint(name), runs, other }, work);
    const end = this.follow(work);
    try {
      await this.download();
    } finally {
      end();
    }
    const checkpoint = await openCheckpoint(this.filesOf(name));
    return this.open({ name, checkpoint, runs: onWasm, other }, work);
  }

  /** Tells the progress of the download as that of the job that waits for it. */
  private follow({ onProgress }: LoadWork): () => void {
    const hear = ({ done, total }: DownloadNews): void => onProgress({ phase: "download", done, total, unit: "bytes" });
    this.hearers.add(hear);
    return () => this.hearers.delete(hear);
  }

  private filesOf(name: string): Folder {
    const model = this.models.find((one) => one.name === name);
    if (model) return this.pieces.open(model);
    throw new CheckpointError("the site has no such model", {
      found: name,
      expected: this.models.map((one) => one.name).join(", "),
    });
  }

  private tell(facts: Omit<DownloadNews, "news">): void {
    this.news = { news: "download", ...facts };
    for (const hear of this.hearers) hear(this.news);
  }
}

/** Throws EngineError if the browser lacks what the page needs. */
export function requireBrowser(): void {
  if ("locks" in navigator && "storage" in navigator && "getDirectory" in navigator.storage) return;
  throw new EngineError("this browser gives the page no storage", {
    found: isSecureContext ? "an older browser" : "a page over http",
    expected: "a current browser, and a page over https or from localhost",
  });
}
