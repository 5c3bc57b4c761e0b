import { BaretError, StorageError } from "../core/index.ts";

const words: Record<string, string> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is used up",
  EEXIST: "there is a file of this name",
  EFBIG: "the file system does not allow a file of this size",
  EIO: "the disk reports a fault",
  EISDIR: "it is a folder",
  ELOOP: "its links lead in a circle",
  EMFILE: "this process has too many files open; raise its limit (ulimit -n)",
  ENAMETOOLONG: "the name is too long",
  ENFILE: "this machine has too many files open",
  ENOENT: "there is no such file or folder",
  ENOSPC: "the disk is full",
  ENOTDIR: "part of the path is not a folder",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
};

/** The system's code for a failure, such as "ENOENT"; undefined if it has none. */
export const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null ? (cause as NodeJS.ErrnoException).code : undefined;

/** Whether a failure means that there is nothing at a path. */
export const isMissing = (cause: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(cause) ?? "");

/** Whether a failure means that nothing may be written there. */
export const isReadOnly = (cause: unknown): boolean => ["EACCES", "EPERM", "EROFS"].includes(codeOf(cause) ?? "");

/** Whether a failure means that too many files are open: it says nothing about the file. */
export const isShortage = (cause: unknown): boolean => ["EMFILE", "ENFILE"].includes(codeOf(cause) ?? "");

/** A failed file operation in words. */
export const wordsOf = (cause: unknown): string =>
  words[codeOf(cause) ?? ""] ?? (cause instanceof Error ? cause.message : String(cause));

/** A failed file operation as a StorageError. An error that is one of ours already is passed on. */
export function storageError(problem: string, where: string, cause: unknown, advice?: string): BaretError {
  if (cause instanceof BaretError) return cause;
  return new StorageError(`${problem}: ${wordsOf(cause)}`, { where, cause, advice });
}
