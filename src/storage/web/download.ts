import { CheckpointError, joinSignals, StorageError, throwIfCancelled, type Work } from "../../core/index.ts";

/** When a failed request is repeated, and when a transfer counts as stalled. */
export interface DownloadPolicy {
  /** The work is given up after this many failures in a row. A try that brought bytes starts the count anew. Default 5. */
  readonly attempts?: number;
  /** Wait after the first failure, in milliseconds. It doubles after every further one. Default 500. */
  readonly firstDelayMs?: number;
  /** A transfer that brings no byte for so long is broken off and tried again, in milliseconds. Default 30,000. */
  readonly stallMs?: number;
}

/** The bytes of a file on a web server. */
export interface WantedBytes {
  readonly url: string;
  /** First byte. */
  readonly start: number;
  /** Byte behind the last. */
  readonly end: number;
  /** Size of the whole file. */
  readonly size: number;
}

export interface DownloadWork extends Pick<Work, "signal"> {
  readonly policy?: DownloadPolicy;
  /** Use of the browser's own cache, as fetch's option. Default "default". */
  readonly cache?: RequestCache;
  /** Called if the server sends the whole file, although a part was asked for. */
  readonly onWhole?: () => void;
}

/** A failure that a later try may not meet again. */
class Passing extends Error {
  readonly reason: StorageError;
  /** When the server wants to be asked again. */
  readonly retryAfterMs?: number;

  constructor(reason: StorageError, retryAfterMs?: number) {
    super(reason.message);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

const failed = (url: string, found: string, advice?: string, cause?: unknown): StorageError =>
  new StorageError("the download failed", { where: url, found, advice, cause });

/** fetch tells neither why it failed nor whether the other site forbids it. */
function noAnswer(url: string, cause: unknown): StorageError {
  if (!navigator.onLine) return failed(url, "no connection", "Connect to the network and try again.", cause);
  const isForeign = new URL(url).origin !== globalThis.location?.origin;
  const advice = isForeign
    ? "If the address is right, its server must allow other sites to read it (CORS)."
    : undefined;
  return failed(url, "no answer", advice, cause);
}

const isPassing = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** Throws an error that says what a response is, unless it brings the file. */
function checkResponse(url: string, { status, type, headers }: Response): void {
  if (type === "opaque") {
    throw failed(url, "an answer that this page may not read", "Its server must allow other sites to read it (CORS).");
  }
  if (status === 200 || status === 206) return;
  if (status === 404 || status === 410) throw new CheckpointError("no such file on the server", { where: url });
  const wait = Number(headers.get("Retry-After") ?? Number.NaN) * 1000;
  const error = failed(url, `status ${status}`);
  throw isPassing(status) ? new Passing(error, Number.isFinite(wait) ? wait : undefined) : error;
}

const aPart = /^bytes (\d+)-\d+\/(\d+|\*)$/;

/** Where a response begins in the file. Throws StorageError if the file has another size. */
function startOf(response: Response, { url, size }: WantedBytes): number {
  if (response.status === 200) return 0;
  const [, start, total] = aPart.exec(response.headers.get("Content-Range") ?? "") ?? [];
  if (start === undefined) throw failed(url, "a part of the file without its place");
  if (total !== "*" && Number(total) !== size) throw otherLength(url, total, size);
  return Number(start);
}

const otherLength = (url: string, found: string, expected: number): StorageError =>
  new StorageError("the file on the server has another length", {
    where: url,
    found: `${found} bytes`,
    expected: `${expected}`,
    advice: "The server was updated in between. Load the page again.",
  });

/** A request that is broken off with the caller's signal, or if it brings nothing for a while. */
interface Watch {
  readonly signal: AbortSignal;
  /** Tells that something arrived, and that more is wanted. */
  readonly alive: () => void;
  /** Tells that nothing is wanted for a while. */
  readonly rest: () => void;
  /** Ends the watch, and a transfer that nobody reads any more. */
  readonly end: () => void;
}

function watch({ policy, signal }: DownloadWork): Watch {
  const { stallMs = 30_000 } = policy ?? {};
  const stall = new AbortController();
  const joined = joinSignals(signal, stall.signal);
  let timer = setTimeout(() => stall.abort(), stallMs);
  return {
    signal: joined.signal,
    alive: () => {
      clearTimeout(timer);
      timer = setTimeout(() => stall.abort(), stallMs);
    },
    rest: () => clearTimeout(timer),
    end: () => {
      clearTimeout(timer);
      stall.abort();
      joined.release();
    },
  };
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // If the rest is not wanted, it is not sent.
    reader.cancel().catch(() => undefined);
  }
}

/** One try: the bytes from `at` on. Throws Passing if it breaks. */
async function* attempt(wanted: WantedBytes, at: number, work: DownloadWork): AsyncGenerator<Uint8Array> {
  const { url, end, size } = wanted;
  const isWhole = at === 0 && end === size;
  const { signal, alive, rest, end: endWatch } = watch(work);
  try {
    const response = await fetch(url, {
      signal,
      cache: work.cache ?? "default",
      headers: isWhole ? {} : { Range: `bytes=${at}-${end - 1}` },
    }).catch((cause: unknown) => {
      throw new Passing(noAnswer(url, cause));
    });
    checkResponse(url, response);
    if (!isWhole && response.status === 200) work.onWhole?.();
    let place = startOf(response, wanted);
    if (!response.body) throw new Passing(failed(url, "an empty answer"));
    try {
      for await (const chunk of chunksOf(response.body)) {
        const [from, to] = [Math.max(at - place, 0), Math.min(end - place, chunk.length)];
        place += chunk.length;
        if (place > size) throw otherLength(url, `more than ${size}`, size);
        // Storing what has arrived is no stall.
        rest();
        if (from < to) yield chunk.subarray(from, to);
        alive();
        if (place >= end && !isWhole) return;
      }
    } catch (cause) {
      if (cause instanceof StorageError) throw cause;
      throw new Passing(noAnswer(url, cause));
    }
    if (place < end) throw new Passing(failed(url, `${place} bytes, then the transfer ended`));
  } finally {
    endWatch();
  }
}

/** Waits, or ends at once if the signal aborts. */
const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });

/** Waits after a number of failures in a row. Throws CancelledError, or what ends the work: any error that is not passing, or too many. */
async function beforeNextTry(
  error: unknown,
  failures: number,
  url: string,
  { policy = {}, signal }: DownloadWork,
): Promise<void> {
  const { attempts = 5, firstDelayMs = 500 } = policy;
  throwIfCancelled(signal, `downloading ${url}`);
  if (!(error instanceof Passing)) throw error;
  if (failures >= attempts) throw error.reason;
  await pause(error.retryAfterMs ?? firstDelayMs * 2 ** (failures - 1), signal);
}

/**
 * Downloads a part of a file, or all of it, in chunks. A broken transfer goes on where it stopped; if the server ignores
 * ranges, what had arrived is skipped. Throws CheckpointError if there is no such file, StorageError if the server cannot be
 * reached, refuses, or has a file of another length, and CancelledError.
 */
export async function* download(wanted: WantedBytes, work: DownloadWork = {}): AsyncGenerator<Uint8Array> {
  let at = wanted.start;
  for (let failures = 0; at < wanted.end; ) {
    throwIfCancelled(work.signal, `downloading ${wanted.url}`);
    try {
      for await (const chunk of attempt(wanted, at, work)) {
        at += chunk.length;
        failures = 0;
        yield chunk;
      }
    } catch (error) {
      failures++;
      await beforeNextTry(error, failures, wanted.url, work);
    }
  }
}

/** Downloads a part of a file into one array. Throws as `download`. */
export async function downloadBytes(wanted: WantedBytes, work?: DownloadWork): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(wanted.end - wanted.start);
  let at = 0;
  for await (const chunk of download(wanted, work)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Asks until there is an answer, and reads it, telling `alive` what arrives. Throws as `download`. */
async function ask<T>(
  url: string,
  request: RequestInit,
  work: DownloadWork,
  read: (response: Response, alive: () => void) => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    throwIfCancelled(work.signal, `downloading ${url}`);
    const watched = watch(work);
    try {
      const response = await fetch(url, { ...request, signal: watched.signal });
      checkResponse(url, response);
      return await read(response, watched.alive);
    } catch (error) {
      const isNetwork = error instanceof TypeError || error instanceof DOMException;
      await beforeNextTry(isNetwork ? new Passing(noAnswer(url, error)) : error, failures, url, work);
    } finally {
      watched.end();
    }
  }
}

/** Reads a text file of unknown length, as the server has it now, not as the browser cached it. Throws as `download`. */
export const downloadText = (url: string, work: DownloadWork = {}): Promise<string> =>
  ask(url, { cache: "no-cache" }, work, async ({ body }, alive) => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of chunksOf(body!)) {
      alive();
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  });

/** Asks for the size of a file. Throws as `download`, and StorageError if the server does not tell it. */
export const downloadSize = (url: string, work: DownloadWork = {}): Promise<number> =>
  ask(url, { headers: { Range: "bytes=0-0" } }, work, async ({ status, headers, body }) => {
    // A server that ignores ranges would send the whole file.
    await body?.cancel();
    const total = /\/(\d+)$/.exec(headers.get("Content-Range") ?? "")?.[1];
    const size = total ?? (status === 200 ? headers.get("Content-Length") : undefined);
    if (!size) throw failed(url, "an answer without the size of the file");
    return Number(size);
  });
