import { BaretError, StorageError } from "../../core/index.ts";

const messages: Record<string, string> = {
  EACCES: "permission denied",
  EBUSY: "the file is in use",
  EDQUOT: "the disk quota is used up",
  EEXIST: "a file of this name exists",
  EFBIG: "the file system does not allow a file of this size",
  EIO: "the disk reports a fault",
  EISDIR: "it is a folder",
  ELOOP: "its links form a loop",
  EMFILE: "this process has too many files open; raise its limit (ulimit -n)",
  ENAMETOOLONG: "the name is too long",
  ENFILE: "this machine has too many files open",
  ENOENT: "there is no such file or folder",
  ENOSPC: "the disk is full",
  ENOTDIR: "part of the path is not a folder",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
};

/** Returns the system's code of an error, such as "ENOENT". Undefined if it has none. */
export const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null ? (cause as NodeJS.ErrnoException).code : undefined;

/** True if an error means that a path does not exist. */
export const isMissing = (cause: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(cause) ?? "");

/** True if an error means that this user cannot write there. */
export const isReadOnly = (cause: unknown): boolean => ["EACCES", "EPERM", "EROFS"].includes(codeOf(cause) ?? "");

/** True if an error means that too many files are open, which says nothing about this file. */
export const isTooManyFiles = (cause: unknown): boolean => ["EMFILE", "ENFILE"].includes(codeOf(cause) ?? "");

const ignoring =
  (isHarmless: (error: unknown) => boolean) =>
  (error: unknown): undefined => {
    if (!isHarmless(error)) throw error;
  };

/** For catch(): throws the error again, unless it means that a path does not exist. */
export const ignoreMissing = ignoring(isMissing);

/** For catch(): throws the error again, unless it means that this user cannot write there. */
export const ignoreReadOnly = ignoring(isReadOnly);

/** Message for an error of a file operation. */
export const systemMessage = (cause: unknown): string =>
  messages[codeOf(cause) ?? ""] ?? (cause instanceof Error ? cause.message : String(cause));

/** Makes a StorageError of an error of a file operation. Returns baret's own errors unchanged. */
export function storageError(problem: string, where: string, cause: unknown, advice?: string): BaretError {
  if (cause instanceof BaretError) return cause;
  return new StorageError(`${problem}: ${systemMessage(cause)}`, { where, cause, advice });
}
