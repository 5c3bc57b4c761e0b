import { Command } from "commander";
import { type Picture, requireAtMost, UsageError } from "../../core/index.ts";
import { type BaretResult, baretSettings, edit, type Role, roles } from "../../editing/index.ts";
import { contactSheet } from "../../image/index.ts";
import { type Fidelity, inversionSettings, iterationsOf } from "../../inversion/index.ts";
import { likeOption, repeat, warnOfOtherModel } from "../like.ts";
import { samplingOf } from "../model.ts";
import { fileNamed, option } from "../options.ts";
import {
  checkOutputs,
  type Metadata,
  numbered,
  type Output,
  outOption,
  pngFile,
  suffixed,
  writePicture,
} from "../output.ts";
import { settingLines, Voice } from "../print.ts";
import { oneLine } from "../printable.ts";
import { baretOptionsOf, type EditFlags, editOptions } from "./editOptions.ts";
import { inversionOptionsOf } from "./inversionOptions.ts";
import { previewing } from "./preview.ts";
import { fidelityJson } from "./report.ts";
import { type Arguments, isInversionFile, splitArguments, type Task, taskCount } from "./sources.ts";
import { invertedTask, inWorkshop, type PhotoFlags, photoOptions, plannedSettings, type Workshop } from "./workshop.ts";

interface Flags extends PhotoFlags, EditFlags {
  readonly out: string;
  readonly saveAll?: boolean;
  readonly saveInversion?: string;
  readonly preview?: string;
  readonly like?: string;
}

const inversionFile = fileNamed(".safetensors");
/** Most edits of one command. */
const MAX_EDITS = 10_000;

const labels: Record<Role, string> = {
  reconstruction: "reconstruction",
  initial: "initial inversion result",
  transition: "transition",
  edit: "edit",
};

/** The photo beside the four named pictures. */
function beforeAndAfter({ photo, source, sentence }: Task, { roundTrip }: Fidelity, { images }: BaretResult): Picture {
  const before = { picture: photo?.picture ?? roundTrip, label: photo ? source : `${source}, as the model sees it` };
  const after = roles.map((role) => ({
    picture: images[role]!,
    label: role === "edit" ? `edit: ${sentence}` : labels[role],
  }));
  return contactSheet([before, ...after], { columns: 1 + roles.length });
}

/** The files of edit `index` of `count`, by what is in them. */
function filesOf({ out, saveAll, saveInversion }: Flags, index: number, count: number) {
  const edit = numbered(out, index, count);
  const others = [...roles.filter((role) => role !== "edit"), "sheet"];
  return {
    inversion: saveInversion && numbered(saveInversion, index, count),
    pictures: { edit, ...Object.fromEntries(saveAll ? others.map((what) => [what, suffixed(edit, what)]) : []) },
  };
}

/** Everything that `count` edits write. */
function outputsOf(flags: Flags, count: number): Output[] {
  const outputs = Array.from({ length: count }, (_, index): Output[] => {
    const { pictures, inversion } = filesOf(flags, index, count);
    return [
      ...Object.values(pictures).map((path) => ({ option: "--out", path })),
      ...(inversion ? [{ option: "--save-inversion", path: inversion }] : []),
    ];
  });
  return [...outputs.flat(), ...(flags.preview === undefined ? [] : [{ option: "--preview", path: flags.preview }])];
}

/** Makes one edit and writes it. What it says of itself in JSON. */
async function editTask(task: Task, flags: Flags, index: number, workshop: Workshop): Promise<object> {
  const { model, origin, tasks, work, voice } = workshop;
  const files = filesOf(flags, index, tasks.length);
  const { inversion, fidelity } = await invertedTask(task, flags, workshop, files.inversion);
  const images = flags.saveAll ? roles : (["edit"] as const);
  const onStep = flags.preview === undefined ? undefined : previewing(model, flags.preview, work.signal, voice);
  const result = await edit(model, inversion, baretOptionsOf(flags), { images, onStep, ...work });

  const photo = { path: task.source, sha256: inversion.origin.picture };
  const metadata = {
    ...origin,
    photo,
    settings: plannedSettings(task, inversion.settings, result.settings, flags, model),
  };
  const paths: Record<string, string> = files.pictures;
  const write = async (what: string, picture: Picture): Promise<void> => {
    await writePicture(paths[what], picture, { ...metadata, image: what });
    voice.result(`${paths[what]}  ${what === "edit" ? task.sentence : what}`);
  };
  for (const role of images) await write(role, result.images[role]!);
  if (flags.saveAll) await write("sheet", beforeAndAfter(task, fidelity, result));
  const iterations = iterationsOf(inversion).reduce((sum, n) => sum + n, 0);
  const { settings } = metadata;
  return { photo, sentence: task.sentence, files: paths, fidelity: fidelityJson(fidelity), iterations, settings };
}

/** Says what is about to be done. Throws UsageError where the settings of an edit cannot be, before it is begun. */
function announce(command: Command, flags: Flags, { model, tasks, origin, voice }: Workshop): void {
  const photosOf = new Map<string, string[]>();
  for (const task of tasks) {
    const { source, sentence, photo, inversion } = task;
    const settings = inversion?.settings ?? inversionSettings(sentence, inversionOptionsOf(flags), model.editing);
    const sites = model.attentionSites(inversion?.size ?? samplingOf(flags, model).size);
    const edit = baretSettings(baretOptionsOf(flags), settings, sites, model.editing.edit);
    const { sentence: _, seed: _seed, ...planned } = plannedSettings(task, settings, edit, flags, model);
    const { device, threads } = origin.engine;
    const shown = settingLines(command, { model: origin.model.name, ...planned, device, threads });
    const remark = photo?.remark ?? "inverted before";
    photosOf.set(shown, [...(photosOf.get(shown) ?? []), oneLine(`${source} (${remark}): ${sentence}`)]);
  }
  for (const [settings, photos] of photosOf) for (const text of [...photos, settings]) voice.detail(text);
}

/** Photo and sentence of the picture that is to be repeated. */
function repeatedArguments({ photo, settings: { sentence } }: Metadata): Arguments {
  return { sources: photo ? [photo.path] : [], sentences: typeof sentence === "string" ? [sentence] : [] };
}

async function run(command: Command, given: readonly string[], voice: Voice): Promise<void> {
  const { like } = command.opts<Flags>();
  const made = like === undefined ? undefined : await repeat(command, like, voice);
  const flags = command.opts<Flags>();
  const named = splitArguments(given, made && repeatedArguments(made));
  const inverted = named.sources.filter(isInversionFile);
  if (flags.saveInversion !== undefined && inverted.length > 0) {
    throw new UsageError("keeps the inversion of a photo, and this file is one already", {
      where: "--save-inversion",
      found: inverted.join(", "),
      advice: "Leave it out, or copy the file.",
    });
  }
  const count = taskCount(named);
  requireAtMost(MAX_EDITS, count, "edits");
  await checkOutputs(outputsOf(flags, count), named.sources);
  await inWorkshop(command, flags, named, voice, async (workshop) => {
    const { tasks, origin } = workshop;
    announce(command, flags, workshop);
    warnOfOtherModel(made, origin.model.sha256, `${like}`, voice);
    for (const { photo } of tasks) {
      if (made?.photo && photo && photo.path === made.photo.path && photo.sha256 !== made.photo.sha256) {
        voice.warn(`${photo.path} is not what it was when ${like} was made`);
      }
    }
    const edits: object[] = [];
    for (const [k, task] of tasks.entries()) edits.push(await editTask(task, flags, k, workshop));
    voice.object({ ...origin, edits });
  });
}

export function editCommand(): Command {
  const command = new Command("edit")
    .description("edit photos so that they show what a sentence says")
    .argument("[photo-then-sentence...]", "photos or inversion files, then target sentences")
    .addOption(likeOption())
    .addOption(outOption("out.png"))
    .option("--save-all", "also reconstruction, initial inversion result and transition, and a sheet of all")
    .addOption(option("--save-inversion <file>", "keep the inversion, to use it again", inversionFile))
    .addOption(option("--preview <file.png>", "a picture that shows the edit as it forms", pngFile));
  return photoOptions(editOptions(command)).action((given: string[], flags: Flags) =>
    run(command, given, new Voice(flags)),
  );
}
