import { writeFileAtomic } from "../../../storage/node/index.ts";
import type { ReportDiff } from "../../report/diff.ts";
import { diffPage } from "../../report/page/diffPage.ts";
import { pageAssets } from "./assets.ts";

/** Writes the page of a comparison. a and b: names of the two reports. Throws StorageError if it cannot be written. */
export async function writeDiff(path: string, diff: ReportDiff, a: string, b: string): Promise<void> {
  await writeFileAtomic(path, diffPage(diff, a, b, await pageAssets()));
}
