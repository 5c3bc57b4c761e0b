import { join } from "node:path";
import { writeFileAtomic } from "../../storage/node/index.ts";
import type { Study } from "../rating/index.ts";
import type { Report } from "../report/report.ts";

/** Writes a report, and what people can rate, into the folder of its run. Returns the path of the page. */
export async function writeReport(folder: string, report: Report, study?: Study): Promise<string> {
  if (study) await writeFileAtomic(join(folder, "rating.json"), JSON.stringify(study));
  const file = join(folder, "report.json");
  await writeFileAtomic(file, JSON.stringify(report, undefined, 1));
  return file;
}
