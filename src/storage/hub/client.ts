import { listFiles, modelInfo } from "@huggingface/hub";
import { BaretError, HubError } from "../../core/index.ts";
import { answerError, connectionError, type Subject, stallError } from "./answers.ts";
import { type HubFile, parseEntry } from "./files.ts";
import { Interruption, type Persistence, type PersistentWork, persistently, Watch } from "./persistence.ts";
import type { HubPlace } from "./place.ts";

/** Bounds on what a hub may make us hold in memory: far above any model's, far below what would hurt. */
const MAX_ANSWER_BYTES = 16 << 20;
const MAX_PAGES = 200;

/** A file that is being sent. */
export interface Transfer {
  /** Where in the file the bytes begin: where they were asked for, or 0 where the hub sends whole files only. */
  readonly start: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Asks one hub about one model. What exists and how it is listed is asked through the hub's own library; files are
 * fetched here, because the library cannot continue one in its middle.
 */
export class Hub {
  readonly place: HubPlace;
  private readonly work: PersistentWork;
  private readonly persistence: Persistence;
  private reached = false;

  constructor(place: HubPlace, work: PersistentWork) {
    this.place = place;
    this.work = work;
    this.persistence = work.persistence;
  }

  /** The commit that a branch, tag or commit of a model names now. */
  async commitOf(subject: Subject): Promise<string> {
    const { name, revision } = subject;
    const { endpoint: hubUrl } = this.place;
    const info = await this.answered(subject, () =>
      modelInfo({ name, revision, additionalFields: ["sha"], hubUrl, fetch: this.api(subject) }),
    );
    if (!/^[0-9a-f]{40}$/.test(info.sha)) {
      throw new HubError("the hub does not say which commit this is", { where: name, found: JSON.stringify(info.sha) });
    }
    return info.sha;
  }

  /** Every file of a model at a commit. */
  async list(subject: Subject, commit: string): Promise<HubFile[]> {
    const { endpoint: hubUrl } = this.place;
    return this.answered(subject, async () => {
      const files: HubFile[] = [];
      const repo = { type: "model", name: subject.name } as const;
      const entries = listFiles({ repo, revision: commit, recursive: true, hubUrl, fetch: this.api(subject) });
      for await (const entry of entries) {
        if (entry.type === "file") files.push(parseEntry(entry, subject.name));
      }
      return files;
    });
  }

  /** Sends a file from byte `from` on. Throws Interruption where trying again may help, else HubError. */
  async open(subject: Subject, commit: string, path: string, from: number): Promise<Transfer> {
    const url = `${this.place.endpoint}/${subject.name}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
    const watch = new Watch(this.persistence, this.work.signal);
    try {
      // A packed answer has no byte ranges.
      const plain = { "accept-encoding": "identity" };
      const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
      let answer = await this.request(url, { ...plain, ...range }, watch);
      if (answer.status === 416) {
        await answer.body?.cancel();
        answer = await this.request(url, plain, watch);
      }
      if (!answer.ok) {
        await answer.body?.cancel();
        throw answerError(answer, subject, this.place, { mayBeStored: true });
      }
      const start = answer.status === 206 ? rangeStart(answer) : 0;
      if (start !== 0 && start !== from) {
        await answer.body?.cancel();
        throw new Interruption(new HubError("the hub sent another part of a file", { where: path }));
      }
      return { start, bytes: this.received(answer, path, watch) };
    } catch (error) {
      watch.end();
      throw error;
    }
  }

  /** Runs a call of the library. What it throws beyond our own errors means that the answer was not a hub's. */
  private async answered<T>({ name }: Subject, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      if (cause instanceof BaretError) throw cause;
      throw new HubError("the answer is not that of a hub of models", {
        where: name,
        found: (cause as Error).message,
        advice: `Check HF_ENDPOINT (now ${this.place.endpoint}), and whether a proxy or a log-in page stands in between.`,
        cause,
      });
    }
  }

  /** `fetch` for the library: tries again, reads the whole answer, throws our errors, and does not leave the endpoint. */
  private api(subject: Subject): typeof fetch {
    let pages = 0;
    return async (input) => {
      if (++pages > MAX_PAGES) throw new HubError("the list of files has no end", { where: subject.name });
      const url = this.atEndpoint(String(input));
      return persistently(async () => {
        const watch = new Watch(this.persistence, this.work.signal);
        try {
          const answer = await this.request(url, { accept: "application/json" }, watch);
          if (!answer.ok) {
            await answer.body?.cancel();
            throw answerError(answer, subject, this.place, { mayBeStored: false });
          }
          const parts: Uint8Array[] = [];
          let size = 0;
          for await (const part of this.received(answer, subject.name, watch)) {
            size += part.length;
            if (size > MAX_ANSWER_BYTES) throw new HubError("the answer has no end", { where: url });
            parts.push(part);
          }
          const link = answer.headers.get("Link");
          return new Response(Buffer.concat(parts), { headers: link === null ? {} : { link } });
        } finally {
          watch.end();
        }
      }, this.work);
    };
  }

  /** Mirrors pass on the public hub's own links to further pages; following one would go round the mirror. */
  private atEndpoint(url: string): string {
    const { endpoint } = this.place;
    if (url.startsWith(`${endpoint}/`)) return url;
    const { pathname, search } = new URL(url);
    return `${endpoint}${pathname}${search}`;
  }

  /** Only the endpoint itself is shown the token: fetch drops it where an answer leads to another host. */
  private async request(url: string, headers: Record<string, string>, watch: Watch): Promise<Response> {
    const { token } = this.place;
    try {
      const answer = await fetch(url, {
        headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers,
        signal: watch.signal,
      });
      this.reached = true;
      watch.begin();
      return answer;
    } catch (cause) {
      throw this.broken(cause, this.place.endpoint, watch);
    }
  }

  private async *received(answer: Response, where: string, watch: Watch): AsyncGenerator<Uint8Array> {
    try {
      for await (const part of answer.body ?? []) {
        yield part;
        watch.came(part.length);
      }
    } catch (cause) {
      throw this.broken(cause, where, watch);
    } finally {
      watch.end();
    }
  }

  private broken(cause: unknown, where: string, watch: Watch): HubError | Interruption {
    const { stalledAfter } = watch;
    return stalledAfter === undefined
      ? connectionError(cause, where, this.reached)
      : stallError(where, stalledAfter, this.persistence);
  }
}

/** The first byte of `Content-Range: bytes 5-9/10`. */
function rangeStart(answer: Response): number {
  const [, start] = /^bytes (\d+)-/.exec(answer.headers.get("Content-Range") ?? "") ?? [];
  return start === undefined ? -1 : Number(start);
}
