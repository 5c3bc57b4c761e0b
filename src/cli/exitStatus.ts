import { BaretError, type ErrorCategory } from "../core/index.ts";

const statuses: Readonly<Record<ErrorCategory, number>> = {
  usage: 2,
  model: 3,
  memory: 4,
  cancelled: 130,
  failure: 1,
};

/** Returns the exit status of the process for an error. */
export const statusOf = (error: unknown): number => statuses[error instanceof BaretError ? error.category : "failure"];
