import { Command } from "commander";
import { type Picture, UsageError } from "../../core/index.ts";
import { batchOf } from "../../diffusion/index.ts";
import { baretSettings, requirePoints, type SweepPoint, sweep } from "../../editing/index.ts";
import { type Cell, contactSheet } from "../../image/index.ts";
import { inversionSettings } from "../../inversion/index.ts";
import type { EditingDefaults } from "../../weights/index.ts";
import { samplingOf } from "../model.ts";
import { type Kind, listOf, option } from "../options.ts";
import { checkOutputs, numbered, outOption, writePicture } from "../output.ts";
import { settingLines, Voice } from "../print.ts";
import { oneLine } from "../printable.ts";
import { type Alpha, alphaKind, baretOptionsOf, commonEditOptions, type EditFlags, windowKind } from "./editOptions.ts";
import { inversionOptionsOf } from "./inversionOptions.ts";
import { fidelityJson } from "./report.ts";
import { splitArguments } from "./sources.ts";
import { invertedTask, inWorkshop, type PhotoFlags, photoOptions, plannedSettings, type Workshop } from "./workshop.ts";

/** What a sweep goes through. */
interface Axes {
  readonly alpha: readonly Alpha[];
  readonly selfSteps: readonly (readonly [number, number])[];
  readonly crossSteps: readonly (readonly [number, number])[];
}

interface Flags extends PhotoFlags, Omit<EditFlags, keyof Axes>, Partial<Axes> {
  readonly out: string;
  readonly saveAll?: boolean;
}

type Point = Required<Pick<SweepPoint, keyof Axes>> & { readonly [axis in keyof Axes]: Axes[axis][number] };

/** The point from which the paper's figure 9 moves one setting at a time, and that fills in what a grid does not name. */
const usualOf = ({ alpha, selfSteps, crossSteps }: EditingDefaults["edit"]): Point => ({
  alpha,
  selfSteps: [0, selfSteps],
  crossSteps: [0, crossSteps],
});

/** The values of the paper's figure 9; for the last axis it names only some. */
const figure9: Axes = {
  alpha: [0.9, 0.8, 0.6, 0.5, 0].map((start) => [start, start === 0 ? 0 : 0.1]),
  selfSteps: [0.1, 0.2, 0.3, 0.4, 0.5].map((share) => [0, share]),
  crossSteps: [0.8, 0.6, 0.4, 0.2, 0].map((share) => [0, share]),
};

/**
 * The points of a sweep and how many lie beside each other: all combinations of what is given, or figure 9. Throws
 * UsageError if there are too many.
 */
export function pointsOf(
  { alpha, selfSteps, crossSteps }: Partial<Axes>,
  defaults: EditingDefaults["edit"],
): { points: Point[]; columns: number } {
  const usual = usualOf(defaults);
  if (!alpha && !selfSteps && !crossSteps) {
    const axes = Object.entries(figure9) as [keyof Axes, Axes[keyof Axes]][];
    const points = axes.flatMap(([axis, values]) => values.map((value): Point => ({ ...usual, [axis]: value })));
    return { points, columns: figure9.alpha.length };
  }
  const grid = {
    alpha: alpha ?? [usual.alpha],
    selfSteps: selfSteps ?? [usual.selfSteps],
    crossSteps: crossSteps ?? [usual.crossSteps],
  };
  requirePoints(grid.alpha.length * grid.selfSteps.length * grid.crossSteps.length);
  const points = grid.alpha.flatMap((a) =>
    grid.selfSteps.flatMap((s) => grid.crossSteps.map((c) => ({ alpha: a, selfSteps: s, crossSteps: c }))),
  );
  const lengths = [grid.crossSteps.length, grid.selfSteps.length, grid.alpha.length];
  return { points, columns: lengths.find((length) => length > 1) ?? 1 };
}

/** The different values of each axis. */
const axesOf = (points: readonly Point[]): Axes => ({
  alpha: different(
    alphaKind,
    points.map(({ alpha }) => alpha),
  ),
  selfSteps: different(
    windowKind,
    points.map(({ selfSteps }) => selfSteps),
  ),
  crossSteps: different(
    windowKind,
    points.map(({ crossSteps }) => crossSteps),
  ),
});

const different = <T>({ write = String }: Kind<T>, values: readonly T[]): T[] => [
  ...new Map(values.map((value) => [write(value), value])).values(),
];

const labelOf = ({ alpha, selfSteps, crossSteps }: Point): string =>
  `alpha ${alphaKind.write!(alpha)}\nself ${windowKind.write!(selfSteps)}, cross ${windowKind.write!(crossSteps)}`;

async function makeSheet(command: Command, flags: Flags, workshop: Workshop): Promise<void> {
  const { model, origin, tasks, work, voice } = workshop;
  const [task] = tasks;
  const { points, columns } = pointsOf(flags, model.editing.edit);
  const single = points.map((_, index) => numbered(flags.out, index, Math.max(2, points.length)));
  const written = [flags.out, ...(flags.saveAll ? single : [])];
  await checkOutputs(
    written.map((path) => ({ option: "--out", path })),
    [task.source],
  );
  const common = baretOptionsOf({ ...flags, alpha: undefined, selfSteps: undefined, crossSteps: undefined });
  const planned =
    task.inversion?.settings ?? inversionSettings(task.sentence, inversionOptionsOf(flags), model.editing);
  const sites = model.attentionSites(task.inversion?.size ?? samplingOf(flags, model).size);
  const settings = points.map((point) => baretSettings({ ...common, ...point }, planned, sites, model.editing.edit));
  voice.detail(oneLine(`${task.source} (${task.photo?.remark ?? "inverted before"}): ${task.sentence}`));
  const first = plannedSettings(task, planned, settings[0], flags, model);
  voice.detail(settingLines(command, { model: origin.model.name, ...first, ...axesOf(points) }));

  const { inversion, fidelity } = await invertedTask(task, flags, workshop);
  const photo = { path: task.source, sha256: inversion.origin.picture };
  const metadata = { ...origin, photo };
  const cells: Cell[] = [];
  const files: string[] = [];
  const onPicture = async (index: number, picture: Picture): Promise<void> => {
    const label = labelOf(points[index]);
    cells.push({ picture, label });
    if (flags.saveAll) {
      const path = single[index];
      await writePicture(path, picture, {
        ...metadata,
        command: "edit",
        settings: plannedSettings(task, planned, settings[index], flags, model),
        image: "edit",
      });
      files.push(path);
      voice.result(`${path}  ${label.replace("\n", ", ")}`);
    }
    // What there is so far, should the rest not come about.
    const sheet = contactSheet(cells, { columns, textScale: Math.max(1, Math.floor(picture.width / 128)) });
    await writePicture(flags.out, sheet, { ...metadata, settings: { ...first, points } });
  };
  const atOnce = batchOf(model, 6);
  const { rows } = await sweep(model, inversion, common, points, { ...work, atOnce, onPicture });
  voice.result(`${flags.out}  ${points.length} edits, ${rows} rows of the U-Net`);
  voice.object({
    ...metadata,
    sheet: flags.out,
    files,
    fidelity: fidelityJson(fidelity),
    points,
    rows,
    settings: first,
  });
}

async function run(command: Command, given: readonly string[], flags: Flags, voice: Voice): Promise<void> {
  const named = splitArguments(given);
  if (named.sources.length > 1 || named.sentences.length > 1) {
    throw new UsageError("a sweep is of one photo and one sentence", {
      found: `${named.sources.length} photos, ${named.sentences.length} sentences`,
    });
  }
  await inWorkshop(command, flags, named, voice, (workshop) => makeSheet(command, flags, workshop));
}

export function sweepCommand(): Command {
  const command = new Command("sweep")
    .description("edit one photo in many ways, as a labelled sheet; with none of the three, the paper's figure 9")
    .argument("<photo-then-sentence...>", "a photo and a target sentence, or an inversion file")
    .addOption(outOption("sweep.png"))
    .option("--save-all", "each edit as a picture of its own, too")
    .optionsGroup("Edit:")
    .addOption(option("--alpha <list>", "values of alpha, such as 0.8:0.1,0.6:0.1,0", listOf(alphaKind)))
    .addOption(option("--self-steps <list>", "shares of steps with the photo's self-attention", listOf(windowKind)))
    .addOption(option("--cross-steps <list>", "shares with the transition's cross-attention", listOf(windowKind)));
  return photoOptions(commonEditOptions(command)).action((given: string[], flags: Flags) =>
    run(command, given, flags, new Voice(flags)),
  );
}
