import { join } from "node:path";
import { giveTurn, type Work } from "../../../core/index.ts";
import { encodePng } from "../../../image/node/index.ts";
import { requireFolder, writeFileAtomic } from "../../../storage/node/index.ts";
import { csvFiles } from "../../report/csv.ts";
import { reportJson } from "../../report/json.ts";
import { blocksOf, namedBlocks } from "../../report/names.ts";
import type { PagePicture } from "../../report/page/pictures.ts";
import { reportPage } from "../../report/page/reportPage.ts";
import type { Report } from "../../report/report.ts";
import { gallerySheets } from "../../report/sheets.ts";
import { pageAssets } from "./assets.ts";
import { pagePicture, readPicture, sideOf } from "./pictures.ts";

/** Files of a written report. */
export interface WrittenReport {
  /** Path of the page. */
  readonly page: string;
  /** Paths of all files in the folder of the run. */
  readonly files: readonly string[];
  /** Pictures that the report names but the folder does not have, or that are damaged. Their places in the page say so. */
  readonly missing: readonly string[];
}

/** Returns the paths of the report's pictures, each once, with the longest side that it needs in the page. */
function sidesOf({ sections }: Report): Map<string, number> {
  const sides = new Map<string, number>();
  for (const { block } of blocksOf(namedBlocks(sections), "gallery")) {
    for (const { file, role } of block.rows.flatMap(({ pictures }) => pictures)) {
      if (file !== undefined) sides.set(file, Math.max(sides.get(file) ?? 0, sideOf(role)));
    }
  }
  return sides;
}

/**
 * Writes a report into the folder of its run: report.html with all pictures, report.json, tables/*.csv and sheets/*.png. Each
 * file is complete at every moment. Equal reports give equal files. Files of an earlier report with other names stay. Throws
 * StorageError if a file cannot be written.
 */
export async function writeReport(folder: string, report: Report, work: Work = {}): Promise<WrittenReport> {
  const { onProgress, signal } = work;
  const files: string[] = [];
  const write = async (name: string, data: string | Uint8Array): Promise<void> => {
    await writeFileAtomic(join(folder, name), data, { signal });
    files.push(name);
  };
  for (const part of [".", "tables", "sheets"]) await requireFolder(join(folder, part));
  const assets = await pageAssets();
  const pictures = new Map<string, PagePicture>();
  const missing: string[] = [];
  const sides = sidesOf(report);
  for (const [file, side] of sides) {
    await giveTurn(signal, "the report");
    const picture = await readPicture(folder, file);
    if (picture) pictures.set(file, await pagePicture(picture, side));
    else missing.push(file);
    onProgress?.({ phase: "report", done: pictures.size + missing.length, total: sides.size });
  }
  for await (const { name, picture } of gallerySheets(report, (file) => readPicture(folder, file))) {
    await write(`sheets/${name}`, await encodePng(picture));
  }
  for (const { name, text } of csvFiles(report)) await write(`tables/${name}`, text);
  await write("report.json", `${reportJson(report, 1)}\n`);
  await write("report.html", reportPage(report, pictures, assets));
  return { page: join(folder, "report.html"), files, missing };
}
