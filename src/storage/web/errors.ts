import { CheckpointError, StorageError } from "../../core/index.ts";

/** The browser's storage for this page is missing, denied, full or too small. Files that were to be kept can be used without it. */
export class NoRoomError extends StorageError {}

const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;

export const isMissing = (error: unknown): boolean => isNamed(error, "NotFoundError");
/** Chromium tells a full storage by the second message if it notices while bytes are on their way. */
export const isFull = (error: unknown): boolean =>
  isNamed(error, "QuotaExceededError") || (error instanceof DOMException && error.message.includes("data pipe"));

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Returns the error for a file that is not in a folder. */
export const noSuchFile = (where: string): CheckpointError => new CheckpointError("no such file", { where });

/** Returns the error for a file of the user's that can no longer be read. */
export const unreadable = (where: string, cause: unknown): CheckpointError =>
  new CheckpointError("the file cannot be read", {
    where,
    found: reasonOf(cause),
    advice: "If it was changed or moved after it was chosen, choose it again.",
    cause,
  });

/** Advice if there is too little room. */
export const roomAdvice = "Delete what you no longer need of this page, or free room on this disk.";

/** Turns an error of the browser's storage into a StorageError. Errors of baret pass. */
export function storageError(problem: string, where: string | undefined, cause: unknown): Error {
  if (isFull(cause)) {
    return new NoRoomError("the browser's storage for this page is full", { where, advice: roomAdvice, cause });
  }
  if (!(cause instanceof DOMException || cause instanceof TypeError)) return cause as Error;
  return new StorageError(problem, { where, found: reasonOf(cause), cause });
}
