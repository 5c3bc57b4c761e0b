/** What an error says: where it happened, what was found, what was expected, and what to do about it. */
export interface ErrorDetails {
  /** A file, key or option, as the user knows it. */
  where?: string;
  found?: string;
  expected?: string;
  /** A full sentence: what the user can do. */
  advice?: string;
  cause?: unknown;
}

/** A fact may quote a prompt or a server's answer of any length: so many characters of it are shown. */
const longestFact = 2000;

const fact = (name: string, text: string | undefined): string | undefined =>
  text && `${name} ${text.length > longestFact ? `${text.slice(0, longestFact)}… (${text.length} characters)` : text}`;

function sentence(problem: string, { where, found, expected, advice }: ErrorDetails): string {
  const facts = [fact("found", found), fact("expected", expected)].filter(Boolean).join(", ");
  // A file's name may hold a line end, and must not look like a line of its own.
  const name = where?.replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  const head = `${name ? `${name}: ` : ""}${problem}${facts ? `${problem ? ": " : ""}${facts}` : ""}`;
  return `${head.replace(/\.$/, "")}.${advice ? `\n${advice}` : ""}`;
}

/**
 * Base of every error that baret throws on purpose. Library, command line and HTTP share these classes;
 * `exitCode` is the process status that the command line maps them to.
 */
export abstract class BaretError extends Error {
  abstract readonly code: string;
  readonly exitCode: number = 1;
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
  override readonly exitCode = 2;
}

/** A model, weight file, tokenizer or its configuration is missing, broken or of a kind that is not supported. */
export class CheckpointError extends BaretError {
  readonly code = "checkpoint";
  override readonly exitCode = 3;
}

/** The work needs more memory than the machine, or its cgroup, has free. */
export class MemoryError extends BaretError {
  readonly code = "memory";
  override readonly exitCode = 4;
}

/** The device that was asked for cannot run the work. */
export class DeviceError extends BaretError {
  readonly code = "device";
}

/** The process that runs native code failed or was killed. */
export class EngineError extends BaretError {
  readonly code = "engine";
}

/** A tensor that was kept in the engine is gone, because its process ended or the tensor was released. */
export class ResidentError extends BaretError {
  readonly code = "resident";
}

/** A model computed something that is not a number. */
export class NumericError extends BaretError {
  readonly code = "numeric";
}

/** A graph was built wrongly: shapes, dtypes or names do not fit. A fault of the caller's code, not of its data. */
export class GraphError extends BaretError {
  readonly code = "graph";
}

/** A picture cannot be read, or is not one. */
export class ImageError extends BaretError {
  readonly code = "image";
}

/** A scene of the Menagerie world is not a scene. */
export class SceneError extends BaretError {
  readonly code = "scene";
  override readonly exitCode = 2;
}

/** A file cannot be written or read, a cache is damaged, or an inversion file does not belong here. */
export class StorageError extends BaretError {
  readonly code = "storage";
}

/** The hub of models has not what was asked of it, does not let us have it, cannot be reached, or breaks its word. */
export class HubError extends BaretError {
  readonly code = "hub";
  override readonly exitCode: number;

  /** `unavailable`: there is no such model for this user, so that trying again is of no use. */
  constructor(problem: string, { unavailable = false, ...details }: ErrorDetails & { unavailable?: boolean } = {}) {
    super(problem, details);
    this.exitCode = unavailable ? 3 : 1;
  }
}

/** The caller asked to stop. */
export class CancelledError extends BaretError {
  readonly code = "cancelled";
  override readonly exitCode = 130;

  constructor(what = "the work") {
    super(`${what} was cancelled`);
  }
}

/** The problem of each of these options whose value is none of its words, for `listed`. */
export const wrongWords = (
  options: Readonly<Record<string, readonly [found: unknown, words: readonly string[]]>>,
): string[] =>
  Object.entries(options)
    .filter(([, [found, words]]) => !(words as readonly unknown[]).includes(found))
    .map(([name, [found, words]]) => `${name}: found ${JSON.stringify(found)}, expected ${words.join(", ")}`);

/** Problems, one a line: at most `limit`, and how many more there are. */
export function listed(problems: readonly string[], limit = 20): string {
  const more = problems.length - limit;
  return [...problems.slice(0, limit), ...(more > 0 ? [`... and ${more} more`] : [])].map((p) => `  ${p}`).join("\n");
}
