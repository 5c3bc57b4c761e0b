import { listFiles, modelInfo } from "@huggingface/hub";
import { BaretError, HubError } from "../../../core/index.ts";
import type { HubAccess } from "./access.ts";
import { type HubFile, parseEntry } from "./files.ts";
import { Requests, type Transfer } from "./requests.ts";
import { type ModelRevision, responseError, withoutHub } from "./responseErrors.ts";
import { type RetryWork, withRetries } from "./retry.ts";

/** Limits on what a hub can make this process hold in memory. No model comes near them. */
const MAX_RESPONSE_BYTES = 16 << 20;
const MAX_PAGES = 200;

/**
 * Sends requests to a model hub. Model cards and file lists go through the hub's official library. Files are downloaded
 * here, because the library cannot resume a download.
 */
export class HubClient {
  readonly access: HubAccess;
  private readonly work: RetryWork;
  private readonly requests: Requests;

  constructor(access: HubAccess, work: RetryWork) {
    this.access = access;
    this.work = work;
    this.requests = new Requests({ host: access.endpoint, token: access.token, advice: withoutHub }, work);
  }

  /** Resolves a branch, tag or commit to a commit. */
  async commitOf(model: ModelRevision): Promise<string> {
    const { name, revision } = model;
    const { endpoint: hubUrl } = this.access;
    const info = await this.callLibrary(model.name, () =>
      modelInfo({ name, revision, additionalFields: ["sha"], hubUrl, fetch: this.libraryFetch(model) }),
    );
    if (!/^[0-9a-f]{40}$/.test(info.sha)) {
      throw new HubError("the hub does not name the commit of this revision", {
        where: name,
        found: JSON.stringify(info.sha),
      });
    }
    return info.sha;
  }

  /** Lists every file of a model at a commit. */
  async list(model: ModelRevision, commit: string): Promise<HubFile[]> {
    const { endpoint: hubUrl } = this.access;
    return this.callLibrary(model.name, async () => {
      const files: HubFile[] = [];
      const repo = { type: "model", name: model.name } as const;
      const entries = listFiles({ repo, revision: commit, recursive: true, hubUrl, fetch: this.libraryFetch(model) });
      for await (const entry of entries) {
        if (entry.type === "file") files.push(parseEntry(entry, model.name));
      }
      return files;
    });
  }

  /** Downloads a file from byte `from` on. Throws RetryableError if a later try may succeed, otherwise HubError. */
  async download(model: ModelRevision, commit: string, path: string, from: number): Promise<Transfer> {
    const url = `${this.access.endpoint}/${model.name}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
    return this.requests.transfer(url, path, from, (response) =>
      responseError(response, model, this.access, { mayBeStored: true }),
    );
  }

  /** Runs a call of the library. Any error that is not baret's means that the response did not come from a model hub. */
  private async callLibrary<T>(name: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      if (cause instanceof BaretError) throw cause;
      throw new HubError("the response does not come from a model hub", {
        where: name,
        found: (cause as Error).message,
        advice: `Check HF_ENDPOINT (now ${this.access.endpoint}). A proxy or a log-in page may have answered instead.`,
        cause,
      });
    }
  }

  /** `fetch` for the library. It retries, reads the whole response, throws baret's errors and stays at the endpoint. */
  private libraryFetch(model: ModelRevision): typeof fetch {
    let pages = 0;
    return async (input) => {
      if (++pages > MAX_PAGES) throw new HubError("the list of files has no end", { where: model.name });
      const url = this.atEndpoint(String(input));
      return withRetries(async () => {
        const { response, bytes } = await this.requests.text(
          url,
          model.name,
          "application/json",
          MAX_RESPONSE_BYTES,
          (refused) => responseError(refused, model, this.access, { mayBeStored: false }),
        );
        const link = response.headers.get("Link");
        return new Response(new Uint8Array(bytes), { headers: link === null ? {} : { link } });
      }, this.work);
    };
  }

  /** Moves a link to the endpoint. Mirrors pass on the public hub's links to further pages, which would bypass the mirror. */
  private atEndpoint(url: string): string {
    const { endpoint } = this.access;
    if (url.startsWith(`${endpoint}/`)) return url;
    const { pathname, search } = new URL(url);
    return `${endpoint}${pathname}${search}`;
  }
}
