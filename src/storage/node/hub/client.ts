import { listFiles, modelInfo } from "@huggingface/hub";
import { BaretError, HubError } from "../../../core/index.ts";
import type { HubAccess } from "./access.ts";
import { type HubFile, parseEntry } from "./files.ts";
import { connectionError, type ModelRevision, responseError, stallError } from "./responseErrors.ts";
import { RetryableError, type RetryWork, StallTimer, withRetries } from "./retry.ts";

/** Limits on what a hub can make this process hold in memory. No model comes near them. */
const MAX_RESPONSE_BYTES = 16 << 20;
const MAX_PAGES = 200;

/** A file that the hub is sending. */
export interface Transfer {
  /** Offset of the first byte: the requested one, or 0 if the hub sends whole files only. */
  readonly start: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Sends requests to a model hub. Model cards and file lists go through the hub's official library. Files are downloaded
 * here, because the library cannot resume a download.
 */
export class HubClient {
  readonly access: HubAccess;
  private readonly work: RetryWork;
  /** True once the hub has answered a request. */
  private reached = false;

  constructor(access: HubAccess, work: RetryWork) {
    this.access = access;
    this.work = work;
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
    const timer = new StallTimer(this.work.policy, this.work.signal);
    try {
      // Compressed responses have no byte ranges.
      const plain = { "accept-encoding": "identity" };
      const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
      let response = await this.request(url, { ...plain, ...range }, timer);
      if (response.status === 416) {
        await response.body?.cancel();
        response = await this.request(url, plain, timer);
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw responseError(response, model, this.access, { mayBeStored: true });
      }
      const start = response.status === 206 ? rangeStart(response) : 0;
      if (start !== 0 && start !== from) {
        await response.body?.cancel();
        throw new RetryableError(
          new HubError("the hub sent another byte range than the requested one", { where: path }),
        );
      }
      return { start, bytes: this.receive(response, path, timer) };
    } catch (error) {
      timer.stop();
      throw error;
    }
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
        const timer = new StallTimer(this.work.policy, this.work.signal);
        try {
          const response = await this.request(url, { accept: "application/json" }, timer);
          if (!response.ok) {
            await response.body?.cancel();
            throw responseError(response, model, this.access, { mayBeStored: false });
          }
          const chunks: Uint8Array[] = [];
          let size = 0;
          for await (const chunk of this.receive(response, model.name, timer)) {
            size += chunk.length;
            if (size > MAX_RESPONSE_BYTES) throw new HubError("the response has no end", { where: url });
            chunks.push(chunk);
          }
          const link = response.headers.get("Link");
          return new Response(Buffer.concat(chunks), { headers: link === null ? {} : { link } });
        } finally {
          timer.stop();
        }
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

  /** Sends a request with the token. fetch drops the token if a response redirects to another host. */
  private async request(url: string, headers: Record<string, string>, timer: StallTimer): Promise<Response> {
    const { token } = this.access;
    try {
      const response = await fetch(url, {
        headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers,
        signal: timer.signal,
      });
      this.reached = true;
      timer.restart();
      return response;
    } catch (cause) {
      throw this.connectionFailure(cause, this.access.endpoint, timer);
    }
  }

  /** The body of a response, in chunks. */
  private async *receive(response: Response, where: string, timer: StallTimer): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response.body ?? []) {
        yield chunk;
        timer.received(chunk.length);
      }
    } catch (cause) {
      throw this.connectionFailure(cause, where, timer);
    } finally {
      timer.stop();
    }
  }

  private connectionFailure(cause: unknown, where: string, timer: StallTimer): HubError | RetryableError {
    const { bytesAtStall } = timer;
    return bytesAtStall === undefined
      ? connectionError(cause, where, this.reached)
      : stallError(where, bytesAtStall, this.work.policy);
  }
}

/** The first byte of `Content-Range: bytes 5-9/10`. */
function rangeStart(response: Response): number {
  const [, start] = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "") ?? [];
  return start === undefined ? -1 : Number(start);
}
