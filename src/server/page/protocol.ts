import { UsageError } from "../../core/index.ts";
import type { Failure } from "../client/failure.ts";
import { BusyError, NotReadyError, RequestError } from "../errors.ts";
import { jobErrorOf } from "../jobError.ts";

/** A call of one of the methods of T. */
export interface Call<T> {
  readonly id: number;
  readonly method: keyof T & string;
  readonly args: readonly unknown[];
}

/** The answer to a call. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure };

/** Returns an error as a page shows it. */
export function failureOf(error: unknown): Failure {
  const problems = error instanceof RequestError ? error.problems : [];
  const where = problems[0]?.field ?? (error instanceof UsageError ? error.details.where : undefined);
  return {
    ...jobErrorOf(error),
    ...(where !== undefined && { where }),
    ...(problems.length > 0 && { problems }),
    ...((error instanceof BusyError || error instanceof NotReadyError) && { retryAfter: error.retryAfter }),
  };
}

/** Does a call, and returns its answer. */
export async function answerTo<T>(service: T, { id, method, args }: Call<T>): Promise<Answer> {
  try {
    const work = service[method as keyof T] as (...args: readonly unknown[]) => Promise<unknown>;
    return { id, value: await work.call(service, ...args) };
  } catch (error) {
    return { id, failure: failureOf(error) };
  }
}
