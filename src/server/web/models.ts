import { CheckpointError, EngineError, StorageError, sharedWork } from "../../core/index.ts";
import { findFile, type StoredFolder, writeFile } from "../../storage/web/index.ts";
import type { Folder } from "../../weights/index.ts";
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
import type { Pieces } from "./pieces.ts";

/** Opens a model. other: returns the files of a related model, such as a judge; throws CheckpointError if there is none. */
export type OpenModel = (
  name: string,
  files: Folder,
  other: (name: string) => Folder,
  work: LoadWork,
) => Promise<LoadedModel>;

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

/** The models of a static site: their files arrive in the background, and one of them is loaded at a time. */
export class SiteModelShelf implements PageModels {
  private readonly models: readonly SiteModel[];
  private readonly pieces: Pieces;
  private readonly open: OpenModel;
  private readonly hearers = new Set<(news: DownloadNews) => void>();
  private news: DownloadNews;
  private downloading: Promise<void> | undefined;
  private loaded: { readonly name: string; readonly model: Promise<LoadedModel> } | undefined;

  constructor({ models }: SiteModels, pieces: Pieces, open: OpenModel) {
    this.models = models;
    this.pieces = pieces;
    this.open = open;
    this.news = { news: "download", done: 0, total: pieces.bytesOf(models) };
  }

  descriptions(): readonly ModelDescription[] {
    return this.models.flatMap(({ description }) => description ?? []);
  }

  deviceOf(): string {
    return "wasm";
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
    return sharedWork(() => {
      if (this.loaded?.name === name) return this.loaded.model;
      const model = this.openNow(name, work);
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
    const end = this.follow(work);
    try {
      await this.download();
    } finally {
      end();
    }
    return this.open(name, this.filesOf(name), (other) => this.filesOf(other), work);
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
