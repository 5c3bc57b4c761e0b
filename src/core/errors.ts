/** Details of an error: where it happened, the value found, the value expected, and what to do. */
export interface ErrorDetails {
  /** A file, key or option, as the user knows it. */
  where?: string;
  found?: string;
  expected?: string;
  /** A full sentence that tells the user what to do. */
  advice?: string;
  cause?: unknown;
}

/** Longest texts, since their content comes from files and callers. A path on Linux has at most 4096 bytes. */
const [MAX_WHERE, MAX_FACT, MAX_PROBLEM] = [4096, 1000, 10_000];

function sentence(problem: string, { where, found, expected, advice }: ErrorDetails): string {
  const facts = [found && `found ${cut(found, MAX_FACT)}`, expected && `expected ${cut(expected, MAX_FACT)}`];
  const fact = facts.filter(Boolean).join(", ");
  const what = cut(problem, MAX_PROBLEM);
  // A file name may contain a line end, and must not look like a line of its own.
  const name = where && cut(where, MAX_WHERE).replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  const head = `${name ? `${name}: ` : ""}${what}${fact ? `${what ? ": " : ""}${fact}` : ""}`;
  return `${head.replace(/\.$/, "")}.${advice ? `\n${advice}` : ""}`;
}

/**
 * Groups of errors that callers treat alike. usage: the caller's own mistake. model: a model is missing or broken. memory:
 * too little of it. cancelled: the caller stopped the work. failure: everything else.
 */
export type ErrorCategory = "usage" | "model" | "memory" | "cancelled" | "failure";

/**
 * Base of every error that baret throws on purpose. Library, command line and HTTP share these classes. The command line
 * maps categories to exit statuses, a server maps them to HTTP statuses.
 */
export abstract class BaretError extends Error {
  abstract readonly code: string;
  readonly category: ErrorCategory = "failure";
  readonly details: ErrorDetails;

  constructor(problem: string, details: ErrorDetails = {}) {
    super(sentence(problem, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.details = details;
  }
}

/** An option or argument is wrong. */
export class UsageError extends BaretError {
  readonly code = "usage";
  override readonly category = "usage";
}

/** A model, weight file, tokenizer or its configuration is missing, broken or of a kind that is not supported. */
export class CheckpointError extends BaretError {
  readonly code = "checkpoint";
  override readonly category = "model";
}

/** The work needs more memory than the machine or its control group has free. */
export class MemoryError extends BaretError {
  readonly code = "memory";
  override readonly category = "memory";
}

/** The device that was asked for cannot run the work. */
export class DeviceError extends BaretError {
  readonly code = "device";
}

/** The process that runs native code failed or was killed. */
export class EngineError extends BaretError {
  readonly code = "engine";
}

/** A tensor that was kept in the engine is lost, because the process ended or the tensor was released. */
export class ResidentError extends BaretError {
  readonly code = "resident";
}

/** A model computed NaN or an infinity. */
export class NumericError extends BaretError {
  readonly code = "numeric";
}

/** A graph was built wrongly: shapes, dtypes or names do not fit. The fault is in the caller's code, not in its data. */
export class GraphError extends BaretError {
  readonly code = "graph";
}

/** A file is not a picture, or cannot be read. */
export class ImageError extends BaretError {
  readonly code = "image";
}

/** A scene of the Menagerie world is not valid. */
export class SceneError extends BaretError {
  readonly code = "scene";
  override readonly category = "usage";
}

/** A file cannot be read or written, a cache is damaged, or a file belongs to another photo or model. */
export class StorageError extends BaretError {
  readonly code = "storage";
}

/** The model hub, or the index of Python packages, failed: not found, access denied, unreachable, or a checksum mismatch. */
export class HubError extends BaretError {
  readonly code = "hub";
  override readonly category: ErrorCategory;

  /** unavailable: the model does not exist for this user, so trying again does not help. */
  constructor(problem: string, { unavailable = false, ...details }: ErrorDetails & { unavailable?: boolean } = {}) {
    super(problem, details);
    this.category = unavailable ? "model" : "failure";
  }
}

/** The caller cancelled the work. */
export class CancelledError extends BaretError {
  readonly code = "cancelled";
  override readonly category = "cancelled";

  /** what: a noun, "the edit". cause: the reason of the signal that was aborted. */
  constructor(what = "the work", cause?: unknown) {
    super(`${what} was cancelled`, { cause });
  }
}

/** Cuts `text` to `limit` characters, and marks the cut. */
export const cut = (text: string, limit = 200): string => (text.length > limit ? `${text.slice(0, limit)}…` : text);

/** Most entries of a list or an object that a message quotes, and most levels. */
const [MAX_ENTRIES, MAX_DEPTH] = [8, 3];

/**
 * Quotes a value in a message: as JSON, or by its kind if JSON cannot express it. The text is short for any value, and is
 * made without reading all of a large one.
 */
export function shown(value: unknown, depth = MAX_DEPTH): string {
  if (typeof value === "string") return cut(JSON.stringify(cut(value)));
  if (typeof value === "function") return "a function";
  if (value === undefined) return "nothing";
  if (typeof value !== "object" || value === null) return cut(String(value));
  const isList = Array.isArray(value);
  const prototype = Object.getPrototypeOf(value);
  if (!isList && prototype !== Object.prototype && prototype !== null) {
    return `a ${Object.prototype.toString.call(value).slice(8, -1)}`;
  }
  const keys = isList ? value.slice(0, MAX_ENTRIES + 1).map((_, k) => `${k}`) : Object.keys(value);
  const entries = keys.slice(0, depth > 0 ? MAX_ENTRIES : 0).map((key) => {
    const entry = shown((value as Readonly<Record<string, unknown>>)[key], depth - 1);
    return isList ? entry : `${shown(key)}:${entry}`;
  });
  const all = [...entries, ...(keys.length > entries.length ? ["…"] : [])].join(",");
  return cut(isList ? `[${all}]` : `{${all}}`);
}

/** Joins names for one line of a message: at most `limit`, then the number of the rest. */
export function few(names: readonly string[], limit = 12): string {
  const more = names.length - limit;
  return [...names.slice(0, limit).map((name) => cut(name, 60)), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** Lists problems, one per line: at most `limit`, then the number of the rest. */
export function listed(problems: readonly string[], limit = 20): string {
  const more = problems.length - limit;
  const lines = problems.slice(0, limit).map((problem) => cut(problem, 400));
  return [...lines, ...(more > 0 ? [`... and ${more} more`] : [])].map((line) => `  ${line}`).join("\n");
}
