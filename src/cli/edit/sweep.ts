import { Command } from "commander";
import type { Picture } from "../../core/index.ts";
import { batchOf } from "../../diffusion/index.ts";
import type { Method } from "../../editing/index.ts";
import { type Cell, contactSheet } from "../../image/index.ts";
import { planEdit, recordOf, type SettingValues, sweepPointsOf, sweepTask } from "../../tasks/index.ts";
import { writePicture } from "../../tasks/node/index.ts";
import { filesIn, sweepValues, writtenSettings } from "../methodOptions.ts";
import { withExamples } from "../options.ts";
import { checkOutputs, numbered, outOption, qualityOption } from "../outputs.ts";
import { Reporter } from "../print.ts";
import { singleArguments } from "./sources.ts";
import { type OpenedTasks, type PhotoFlags, photoOptions, qualityJson, runTask, withTasks } from "./tasks.ts";

interface Flags extends PhotoFlags {
  readonly out: string;
  readonly quality?: number;
  readonly saveAll?: boolean;
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
  const { points, columns } = sweepPointsOf(method, model, axes);
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
  await withTasks(command, flags, singleArguments(given, "sweep", reporter), use);
}

export function sweepCommand(): Command {
  const command = new Command("sweep")
    .description(
      "edit one photo with many settings, as a labelled sheet. Options of the edit take several values, separated by " +
        "commas. If none has several, the sheet shows the method's own choice: for baret, the paper's figure 9",
    )
    .argument("<photo-then-prompt...>", "a photo and a target prompt, or a prepared photo")
    .addOption(outOption("sweep.png", false))
    .addOption(qualityOption())
    .option("--save-all", "also write each edit as a picture of its own: sweep-1.png, sweep-2.png, …");
  withExamples(
    command,
    'baret sweep dog.png "a dog lying down" -o sheet.png',
    'baret sweep dog.png "a dog lying down" --alpha 0.9:0.1,0.6:0.1 --self-steps 0.2,0.4',
    "baret sweep dog.inversion.safetensors --guidance 5,7.5,10 --save-all",
  );
  return photoOptions(command, ["prepare", "edit"], { takesLists: true }).action((given: string[], flags: Flags) =>
    run(command, given, flags, new Reporter(flags)),
  );
}
