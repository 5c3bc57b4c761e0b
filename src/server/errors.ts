import { BaretError, type ErrorCategory, type ErrorDetails } from "../core/index.ts";

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
