import { CheckpointError, StorageError } from "../core/index.ts";

/** Returns the result of `work`, or undefined if the disk fails or a file is damaged. */
export async function orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const isOfSystem = typeof (error as { code?: unknown }).code === "string";
    if (error instanceof StorageError || error instanceof CheckpointError || isOfSystem) return undefined;
    throw error;
  }
}
