import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readRegular, storageError } from "../../../storage/node/index.ts";
import { parseReport } from "../../report/json.ts";
import type { Report } from "../../report/report.ts";

const MOST_BYTES = 256 * 2 ** 20;

/** Reads a report.json, or that in the folder of a run. Throws StorageError if there is none or it is damaged. */
export async function readReport(path: string): Promise<Report> {
  const found = await stat(path).catch((cause) => {
    throw storageError("cannot be read", path, cause);
  });
  const file = found.isDirectory() ? join(path, "report.json") : path;
  const bytes = await readRegular(file, MOST_BYTES).catch((cause) => {
    throw storageError("cannot be read", file, cause, "Name the folder of a run, or its report.json.");
  });
  return parseReport(bytes.toString("utf8"), file);
}
