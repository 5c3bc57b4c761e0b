import { BaretError, type ErrorCategory, type ErrorDetails, listed, UsageError } from "../core/index.ts";

/** There is no such job, picture, photo or model. */
export class NotFoundError extends BaretError {
  readonly code = "not_found";
  override readonly category: ErrorCategory = "usage";
}

/** The queue is full, for this client or for all, or not ready yet. */
export class BusyError extends BaretError {
  readonly code = "busy";
  /** Seconds after which a client may try again. */
  readonly retryAfter: number;

  constructor(problem: string, { retryAfter, ...details }: ErrorDetails & { readonly retryAfter: number }) {
    super(problem, details);
    this.retryAfter = retryAfter;
  }
}

/** The server is starting: its queue or its models are not there yet. */
export class NotReadyError extends BaretError {
  readonly code = "not_ready";
  /** Seconds after which a client may try again. */
  readonly retryAfter = 2;
}

/** The request does not fit the state: a job that has not ended cannot be removed. */
export class ConflictError extends BaretError {
  readonly code = "conflict";
  override readonly category: ErrorCategory = "usage";
}

/** A problem of one field of a request. field: its path, "options.alpha". */
export interface FieldProblem {
  readonly field: string;
  /** One sentence that names the field. */
  readonly message: string;
}

/** Fields of a request are wrong: all of them at once. */
export class RequestError extends UsageError {
  readonly problems: readonly FieldProblem[];

  constructor(problems: readonly FieldProblem[], details: ErrorDetails = {}) {
    const lines = problems.map(({ message }) => message);
    const [only = "the request"] = lines;
    super(lines.length <= 1 ? only : `${lines.length} fields are wrong\n${listed(lines)}`, details);
    this.problems = problems;
  }
}

/** A request has more bytes, fields or files than the server takes. */
export class TooLargeError extends BaretError {
  readonly code = "too_large";
  override readonly category: ErrorCategory = "usage";
}

/** The body of a request is of a type that the route does not take. */
export class BodyTypeError extends BaretError {
  readonly code = "unsupported_media_type";
  override readonly category: ErrorCategory = "usage";
}

/** A request arrives too slowly. */
export class RequestTimeError extends BaretError {
  readonly code = "timeout";
  override readonly category: ErrorCategory = "usage";
}
