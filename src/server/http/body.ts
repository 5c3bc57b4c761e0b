import { formatBytes, UsageError } from "../../core/index.ts";
import { BodyTypeError, BusyError, RequestError, RequestTimeError, TooLargeError } from "../errors.ts";
import { inTime } from "./inTime.ts";

/** Longest JSON of a request. A prompt has at most 100,000 characters. */
const MAX_JSON_BYTES = 1 << 20;
/** Most levels of arrays and objects in a request. */
const MAX_DEPTH = 16;

export interface BodyLimits {
  readonly bytes: number;
  /** Longest time without a new byte, in milliseconds. */
  readonly idleMs?: number;
  /** Longest time for the whole body. */
  readonly totalMs?: number;
}

const [IDLE_MS, TOTAL_MS] = [15_000, 120_000];

/**
 * Reads a body while it arrives, and stops at the first byte beyond the limit or if it takes too long. Throws TooLargeError,
 * RequestTimeError, BodyTypeError if it is compressed, UsageError if it ends too early.
 */
export async function readBody(
  request: Request,
  { bytes, idleMs = IDLE_MS, totalMs = TOTAL_MS }: BodyLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): TooLargeError =>
    new TooLargeError("the body is too large", { expected: `at most ${formatBytes(bytes)}` });
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new BodyTypeError("the body is compressed", { where: "Content-Encoding", found: encoding, expected: "none" });
  }
  if (Number(request.headers.get("content-length") ?? 0) > bytes) throw tooLarge();
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  const end = performance.now() + totalMs;
  try {
    for (;;) {
      const { done, value } = await partInTime(reader.read(), Math.min(idleMs, end - performance.now()));
      if (done) break;
      length += value.length;
      if (length > bytes) throw tooLarge();
      parts.push(value);
    }
  } catch (error) {
    // What is still to come is dropped. A broken connection has nothing more to say.
    reader.cancel(error).catch(() => undefined);
    if (error instanceof TooLargeError || error instanceof RequestTimeError) throw error;
    throw new UsageError("the body ended too early", { cause: error });
  }
  return joined(parts, length);
}

/** Waits for a part of a body. Throws RequestTimeError if it takes longer than `ms`. */
export async function partInTime<T extends object>(reading: Promise<T>, ms = IDLE_MS): Promise<T> {
  const part = await inTime(reading, ms);
  if (!part) throw new RequestTimeError("the body arrives too slowly");
  return part;
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Returns what stands before ";" in Content-Type, in lower case. */
export const mediaType = (request: Request): string =>
  (request.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();

/**
 * Reads a body as JSON. Refuses text that a database cannot hold: the character 0 and halves of surrogate pairs. Throws as
 * readBody, RequestError if it is not JSON.
 */
export async function readJson(request: Request, limit = MAX_JSON_BYTES): Promise<unknown> {
  const type = mediaType(request);
  if (type !== "application/json") {
    const expected = "application/json";
    throw new BodyTypeError("the type of the body", { where: "Content-Type", found: type || "nothing", expected });
  }
  const bytes = await readBody(request, { bytes: limit });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RequestError([{ field: "body", message: "the body is not JSON in UTF-8" }], { cause });
  }
  const problem = problemOf(value);
  if (problem) throw new RequestError([{ field: "body", message: `the body has ${problem}` }]);
  return value;
}

/** Tells why a text cannot be stored. Undefined if it can. */
export const textProblem = (text: string): string | undefined =>
  text.includes("\0") || /\p{Surrogate}/u.test(text) ? "text with the character 0 or half a character" : undefined;

/** Finds what no request has. Does not call itself, since a value may have a million levels. */
function problemOf(whole: unknown): string | undefined {
  const rest: [value: unknown, depth: number][] = [[whole, 0]];
  for (let next = rest.pop(); next; next = rest.pop()) {
    const [value, depth] = next;
    if (depth > MAX_DEPTH) return `more than ${MAX_DEPTH} levels`;
    if (typeof value === "string" && textProblem(value)) return textProblem(value);
    if (typeof value !== "object" || value === null) continue;
    for (const [key, entry] of Object.entries(value)) {
      if (key === "__proto__") return "a field __proto__";
      if (textProblem(key)) return textProblem(key);
      rest.push([entry, depth + 1]);
    }
  }
  return undefined;
}

/** Most bytes of all uploads that are read or decoded at the same moment. */
const MAX_UPLOAD_BYTES = 256 << 20;

/** Shares the memory for uploads between all clients. */
export class UploadRoom {
  private taken = 0;
  private readonly bytes: number;

  constructor(bytes = MAX_UPLOAD_BYTES) {
    this.bytes = bytes;
  }

  /** Runs work that holds up to so many bytes. Throws BusyError if there is no room. */
  async with<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.taken + bytes > this.bytes) {
      throw new BusyError("too many uploads at once", { retryAfter: 2, advice: "Try again in a moment." });
    }
    this.taken += bytes;
    try {
      return await work();
    } finally {
      this.taken -= bytes;
    }
  }
}
