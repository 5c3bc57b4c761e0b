import type {
  BlobId,
  Capabilities,
  Inversion,
  Job,
  JobEvent,
  JobId,
  JobQuery,
  JobRequestInput,
  StoredPhoto,
} from "../api/index.ts";
import { hasEnded } from "../api/states.ts";
import { heardIn } from "./eventStream.ts";
import { type Failure, refusalIn, unreachable } from "./failure.ts";
import { pause } from "./pause.ts";

export interface ClientOptions {
  /** The server's token, if it demands one. */
  readonly token?: string;
  /** True for a page: it gets a cookie, which pictures in the page need too. */
  readonly isPage?: boolean;
  /** Makes the error for a failure. */
  readonly errorOf: (failure: Failure) => Error;
  /** How long `events` goes on trying to reach the server, in milliseconds. Default: for ever. */
  readonly patienceMs?: number;
  /** All other requests too go on trying for so long, once the server has answered. Each can be sent twice without harm. */
  readonly isPatient?: boolean;
  /** Called when the server does not answer, and is waited for. */
  readonly onLost?: (error: Error) => void;
}

/** First and longest wait between two attempts to reach a server, in milliseconds. */
const [FIRST_WAIT, LONGEST_WAIT] = [500, 10_000];

/** Types of photos that a server knows. Others go as bytes: the server looks into them. */
const photoTypes = /^image\/(png|jpeg|webp|tiff|avif|gif)$/;

/** Codes of failures after which a reader of events tries again: the server is down, starts, or lost its queue for a moment. */
const transient = new Set([unreachable, "not_ready", "unexpected", "storage", "http_502", "http_503", "http_504"]);
/** Errors of such failures. */
const passing = new WeakSet<Error>();
/** Codes of those that tell nothing about the request. */
const gone = new Set([unreachable, "not_ready", "http_502", "http_503", "http_504"]);
/** Errors of those. */
const lost = new WeakSet<Error>();

/** Speaks baret's native API with one server. */
export class ServerClient {
  private readonly base: URL;
  private readonly options: ClientOptions;
  private session: Promise<Response> | undefined;
  /** An address at which no server ever answered may be wrong. */
  private wasReached = false;

  /** base: URL of the server, with its path if it has one. */
  constructor(base: string, options: ClientOptions) {
    this.base = new URL("api/v1/", base.endsWith("/") || options.isPage ? base : `${base}/`);
    this.options = options;
  }

  capabilities(signal?: AbortSignal): Promise<Capabilities> {
    return this.json("capabilities", { signal });
  }

  /** Uploads a photo. type: as in Content-Type, if it is known. */
  addPhoto(photo: Blob | Uint8Array<ArrayBuffer>, { type, signal }: { type?: string; signal?: AbortSignal } = {}) {
    const headers = { "content-type": type && photoTypes.test(type) ? type : "application/octet-stream" };
    return this.json<StoredPhoto>("photos", { method: "POST", body: photo, headers, signal });
  }

  /** Queues a job, or returns the one with the same result. */
  submit(request: JobRequestInput, signal?: AbortSignal): Promise<Job> {
    const headers = { "content-type": "application/json" };
    return this.json("jobs", { method: "POST", body: JSON.stringify(request), headers, signal });
  }

  job(id: JobId): Promise<Job> {
    return this.json(`jobs/${id}`);
  }

  async jobs({ states, search, limit, before }: JobQuery = {}): Promise<Job[]> {
    const query = new URLSearchParams();
    if (states) query.set("states", states.join(","));
    if (search) query.set("search", search);
    if (limit) query.set("limit", `${limit}`);
    if (before) query.set("before", before);
    return (await this.json<{ jobs: Job[] }>(`jobs?${query}`)).jobs;
  }

  /** Takes this client's interest in a job back. */
  cancel(id: JobId, signal?: AbortSignal): Promise<Job> {
    return this.json(`jobs/${id}/cancel`, { method: "POST", signal });
  }

  async cancelAll(): Promise<void> {
    await this.ask("jobs/cancel", { method: "POST" });
  }

  /** Takes ended jobs off this client's list. isLeaving: the page is being closed; the request outlives it. */
  async remove(jobs: readonly JobId[], isLeaving = false): Promise<void> {
    const headers = { "content-type": "application/json" };
    await this.ask("jobs/remove", { method: "POST", body: JSON.stringify({ jobs }), headers, keepalive: isLeaving });
  }

  async inversions(): Promise<Inversion[]> {
    return (await this.json<{ inversions: Inversion[] }>("inversions")).inversions;
  }

  /** URL of a stored picture. side: longest side in pixels, for a small copy as WebP. */
  pictureUrl(id: BlobId, side?: number): string {
    return new URL(`pictures/${id}${side ? `?side=${side}` : ""}`, this.base).href;
  }

  /** Returns a stored picture as PNG, with the record of its settings inside. */
  async picture(id: BlobId, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return this.patiently(async () => {
      const response = await this.askOnce(`pictures/${id}`, { signal });
      const bytes = await response.arrayBuffer().catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw this.refused({ code: unreachable, message: `the connection broke: ${(cause as Error).message}` });
      });
      return new Uint8Array(bytes);
    }, signal);
  }

  /**
   * Yields the events of a job until it has ended. If the connection breaks, it goes on where it was. Rejects with the
   * signal's reason if that aborts, and with an error if the server cannot be reached for longer than its patience.
   */
  async *events(id: JobId, signal?: AbortSignal): AsyncGenerator<JobEvent, void> {
    const { patienceMs = Number.POSITIVE_INFINITY } = this.options;
    let [after, wait, heardAt] = ["", FIRST_WAIT, Date.now()];
    for (;;) {
      let problem = this.refused({ code: unreachable, message: "the server ended the connection" });
      try {
        const headers: Record<string, string> = after ? { "last-event-id": after } : {};
        for await (const heard of heardIn(await this.askOnce(`jobs/${id}/events`, { headers, signal }))) {
          if ("error" in heard) throw this.refused(heard.error);
          [wait, heardAt] = [FIRST_WAIT, Date.now()];
          after = heard.id ?? after;
          yield heard.event;
          if (heard.event.type === "state" && hasEnded(heard.event.state)) return;
        }
      } catch (error) {
        signal?.throwIfAborted();
        // A stream that breaks in the middle is a TypeError of fetch.
        if (passing.has(error as Error)) problem = error as Error;
        else if (!(error instanceof TypeError)) throw error;
      }
      if (Date.now() + wait > heardAt + patienceMs) throw problem;
      if (wait === FIRST_WAIT) this.options.onLost?.(problem);
      await pause(wait, signal);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    }
  }

  private async json<T>(path: string, init?: RequestInit): Promise<T> {
    return (await this.ask(path, init)).json() as Promise<T>;
  }

  private ask(path: string, init: RequestInit = {}): Promise<Response> {
    return this.patiently(() => this.askOnce(path, init), init.signal ?? undefined);
  }

  /** Does `work` again while the server cannot be reached, if this client is patient. */
  private async patiently<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { isPatient = false, patienceMs = Number.POSITIVE_INFINITY, onLost } = this.options;
    const end = Date.now() + patienceMs;
    for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      try {
        const result = await work();
        this.wasReached = true;
        return result;
      } catch (error) {
        const mayReturn = isPatient && this.wasReached && lost.has(error as Error);
        if (!mayReturn || Date.now() + wait > end) throw error;
        if (wait === FIRST_WAIT) onLost?.(error as Error);
      }
      await pause(wait, signal);
    }
  }

  private async askOnce(path: string, init: RequestInit = {}): Promise<Response> {
    if (this.options.isPage) await this.openSession();
    const response = await this.send(path, init);
    if (!response.ok) throw this.refused(await refusalIn(response));
    return response;
  }

  /** Gets a page its cookie, once. */
  private async openSession(): Promise<void> {
    this.session ??= this.send("session", { method: "POST" });
    try {
      const response = await this.session;
      if (!response.ok && !response.bodyUsed) throw this.refused(await refusalIn(response));
    } catch (error) {
      this.session = undefined;
      throw error;
    }
  }

  private async send(path: string, init: RequestInit): Promise<Response> {
    const { token } = this.options;
    const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...init.headers };
    try {
      return await fetch(new URL(path, this.base), { ...init, headers });
    } catch (cause) {
      init.signal?.throwIfAborted();
      const reason = (cause as Error).cause;
      const [first = ""] = reason instanceof Error ? reason.message.split("\n") : [];
      const why = first && `: ${/wrong version number/.test(first) ? "it does not speak https" : first}`;
      throw this.refused({ code: unreachable, message: `the server at ${this.base.origin} does not answer${why}` });
    }
  }

  private refused(failure: Failure): Error {
    const error = this.options.errorOf(failure);
    if (transient.has(failure.code)) passing.add(error);
    if (gone.has(failure.code)) lost.add(error);
    return error;
  }
}
