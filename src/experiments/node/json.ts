import { UsageError } from "../../core/index.ts";
import { readRegular, storageError } from "../../storage/node/index.ts";

/** Reads a JSON file that a user made. Throws StorageError if it cannot be read, UsageError if it is not JSON. */
export async function readJson(path: string, mostBytes: number, advice: string): Promise<unknown> {
  const bytes = await readRegular(path, mostBytes).catch((cause: unknown) => {
    throw storageError("cannot be read", path, cause, advice);
  });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new UsageError("not JSON in UTF-8", { where: path, found: (cause as Error).message, advice, cause });
  }
}
