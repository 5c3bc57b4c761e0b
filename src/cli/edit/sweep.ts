import { Command } from "commander";
import { type Picture, UsageError } from "../../core/index.ts";
import { batchOf, type Model } from "../../diffusion/index.ts";
import { editSettings, type Method, requirePoints } from "../../editing/index.ts";
import { type Cell, contactSheet } from "../../image/index.ts";
import type { SettingValues } from "../../tasks/index.ts";
import { planEdit, recordOf, sweepTask, writePicture } from "../../tasks/node/index.ts";
import { filesIn, sweepValues, writtenSettings } from "../methodOptions.ts";
import { checkOutputs, numbered, outOption, qualityOption } from "../outputs.ts";
import { Reporter } from "../print.ts";
import { singleArguments } from "./sources.ts";
import { type OpenedTasks, type PhotoFlags, photoOptions, qualityJson, runTask, withTasks } from "./tasks.ts";

interface Flags extends PhotoFlags {
  readonly out: string;
  readonly quality?: number;
  readonly saveAll?: boolean;
}

interface Points {
  readonly points: readonly SettingValues[];
  /** Number of columns of the sheet. */
  readonly columns: number;
}

/**
 * Returns all combinations of the values of the axes, or the method's own points if there are no axes. Throws UsageError if
 * there are too many, or none.
 */
export function pointsOf(method: Method, model: Model, axes: Readonly<Record<string, readonly unknown[]>>): Points {
  const entries = Object.entries(axes);
  if (entries.length === 0) {
    const own = method.sweepPoints?.(editSettings(method, model, {}));
    if (own) return own;
    throw new UsageError("a sweep needs an option with several values", {
      expected: "values separated by commas, such as --guidance 3,5,7",
    });
  }
  requirePoints(entries.reduce((count, [, values]) => count * values.length, 1));
  const points = entries.reduce<SettingValues[]>(
    (made, [name, values]) => made.flatMap((point) => values.map((value) => ({ ...point, [name]: value }))),
    [{}],
  );
  return { points, columns: entries[entries.length - 1][1].length };
}

/** Returns the options of a point as they are written on the command line. */
function labelOf(method: Method, point: SettingValues): string {
  return writtenSettings(method, point)
    .map(([flag, text]) => `${flag} ${text}`)
    .join("\n");
}

async function makeSheet(command: Command, flags: Flags, opened: OpenedTasks, reporter: Reporter): Promise<void> {
  const { method, model, maker, work } = opened;
  const [opening] = opened.tasks;
  const { common, axes } = sweepValues(command, method);
  const { points, columns } = pointsOf(method, model, axes);
  const single = points.map((_, index) => numbered(flags.out, index, Math.max(2, points.length)));
  const written = [flags.out, ...(flags.saveAll ? single : [])];
  await checkOutputs(
    written.map((path) => ({ option: "--out", path })),
    [opening.source, ...points.flatMap((point) => filesIn(method, { ...common, ...point }))],
  );
  const planned = await Promise.all(points.map((point) => planEdit(opening, maker, { ...common, ...point })));
  const resolved = planned.map(({ edit }) => edit);
  const warnings = new Map(planned.flatMap((one) => (one.warnings ?? []).map((warning) => [warning.message, warning])));
  const task = { ...opening, maker, warnings: [...warnings.values()] };

  const cells: Cell[] = [];
  const files: string[] = [];
  const options = { quality: flags.quality };
  const onPicture = async (index: number, picture: Picture, settings: SettingValues): Promise<void> => {
    const label = labelOf(method, points[index]);
    cells.push({ picture, label });
    if (flags.saveAll) {
      const path = single[index];
      await writePicture(path, picture, { ...recordOf(task, "edit", settings), image: "edit" }, options);
      files.push(path);
      reporter.result(`${path}  ${label.replaceAll("\n", ", ")}`);
    }
    // Written after every picture, so that a stopped sweep leaves its finished pictures.
    const sheet = contactSheet(cells, { columns, textScale: Math.max(1, Math.floor(picture.width / 128)) });
    await writePicture(flags.out, sheet, recordOf(task, "sweep", { ...settings, points }), options);
  };
  const events = sweepTask(task, resolved, { atOnce: batchOf(model, 6), signal: work.signal });
  const { record, quality, rows, estimate } = await runTask(task, events, work, reporter, { onPicture });
  reporter.result(`${flags.out}  ${points.length} edits, ${rows} rows computed by the U-Net`);
  reporter.object({ ...record, sheet: flags.out, files, quality: qualityJson(quality), estimate, points, rows });
}

async function run(command: Command, given: readonly string[], flags: Flags, reporter: Reporter): Promise<void> {
  const use = (opened: OpenedTasks): Promise<void> => makeSheet(command, flags, opened, reporter);
  await withTasks(command, flags, singleArguments(given, "sweep"), use);
}

export function sweepCommand(): Command {
  const command = new Command("sweep")
    .description(
      "edit one photo with many settings, as a labelled sheet. Options of the edit take several values, separated by " +
        "commas. If none has several, the sheet shows the method's own choice: for baret, the paper's figure 9",
    )
    .argument("<photo-then-prompt...>", "a photo and a target prompt, or a prepared photo")
    .addOption(outOption("sweep.png"))
    .addOption(qualityOption())
    .option("--save-all", "also write each edit as a picture of its own");
  return photoOptions(command, ["prepare", "edit"], true).action((given: string[], flags: Flags) =>
    run(command, given, flags, new Reporter(flags)),
  );
}
