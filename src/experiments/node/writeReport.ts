import { join } from "node:path";
import { writeFileAtomic } from "../../storage/node/index.ts";
import type { Report } from "../report/report.ts";

/** Writes a report into the folder of its run. Returns the path of the page. */
export async function writeReport(folder: string, report: Report): Promise<string> {
  const file = join(folder, "report.json");
  await writeFileAtomic(file, JSON.stringify(report, undefined, 1));
  return file;
}
