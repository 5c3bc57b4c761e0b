import { HTTPException } from "hono/http-exception";
import { BaretError, CancelledError, ImageError, StorageError, UsageError } from "../../core/index.ts";
import { refusal } from "../../http/index.ts";
import {
  BodyTypeError,
  BusyError,
  ConflictError,
  NotFoundError,
  NotReadyError,
  RequestError,
  RequestTimeError,
  TooLargeError,
} from "../errors.ts";

type ErrorClass = abstract new (...args: never[]) => Error;

/** HTTP statuses of errors. Every other error is 500. */
const statuses: readonly (readonly [ErrorClass, number])[] = [
  [NotFoundError, 404],
  [RequestTimeError, 408],
  [ConflictError, 409],
  [TooLargeError, 413],
  [BodyTypeError, 415],
  [BusyError, 429],
  [NotReadyError, 503],
  [UsageError, 400],
  [ImageError, 400],
  // The client left, so nobody reads it.
  [CancelledError, 499],
];

/** Errors after which a part of the body is still to come. */
const unread: readonly ErrorClass[] = [TooLargeError, BodyTypeError, RequestTimeError];

/** A client may try again when somebody has made room. */
export const later = { "Retry-After": "60" };

const isFullDisk = (error: unknown): boolean =>
  error instanceof StorageError && ["ENOSPC", "EDQUOT"].includes((error.cause as { code?: string })?.code ?? "");

/** Returns the HTTP status of an error. */
export const statusOf = (error: unknown): number => statuses.find(([type]) => error instanceof type)?.[1] ?? 500;

/**
 * Answers with an error. `message` has the advice as its last line. With several wrong fields, `param` is the first one and
 * `problems` lists all. Errors that are not the client's are told to nobody but `onFault`.
 */
export function errorAnswer(error: unknown, onFault: (error: unknown) => void): Response {
  if (error instanceof HTTPException) return refusal(error.status, error.message || "the request is wrong");
  if (isFullDisk(error)) {
    onFault(error);
    return refusal(503, "the server's disk is full, so it can store nothing", "disk_full", { headers: later });
  }
  const status = statusOf(error);
  if (!(error instanceof BaretError) || status === 500) {
    onFault(error);
    const message = "the server failed; its terminal says more";
    return refusal(500, message, error instanceof BaretError ? error.code : "unexpected");
  }
  const problems = error instanceof RequestError ? error.problems : [];
  const param = problems[0]?.field ?? (error instanceof UsageError ? error.details.where : undefined);
  const retryAfter = error instanceof BusyError || error instanceof NotReadyError ? error.retryAfter : undefined;
  return refusal(status, error.message, error.code, {
    ...(param !== undefined && { param }),
    ...(problems.length > 0 && {
      more: { problems: problems.map(({ field, message }) => ({ param: field, message })) },
    }),
    headers: {
      ...(retryAfter !== undefined && { "Retry-After": `${Math.max(1, Math.ceil(retryAfter))}` }),
      // The rest of the body is not read, so the connection cannot serve another request.
      ...(unread.some((type) => error instanceof type) && { Connection: "close" }),
    },
  });
}
