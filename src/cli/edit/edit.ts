import { Command } from "commander";
import { type Picture, requireAtMost, StorageError, UsageError, type Work } from "../../core/index.ts";
import { nodePlatform } from "../../diffusion/node/index.ts";
import { contactSheet } from "../../image/index.ts";
import { encodePng } from "../../image/node/index.ts";
import { exists, writeFileAtomic } from "../../storage/node/index.ts";
import {
  type EditRecord,
  type EditTask,
  editTask,
  finishedPicture,
  planEdit,
  requireScorer,
  type TaskResult,
} from "../../tasks/index.ts";
import { writePicture } from "../../tasks/node/index.ts";
import { runBlocking } from "../interrupt.ts";
import { applyLike, likeOption, warnOfOtherModel } from "../like.ts";
import { chosenMethod, filesIn, givenValues } from "../methodOptions.ts";
import { anyText, fileNamed, option, withExamples } from "../options.ts";
import {
  checkOutputs,
  numbered,
  type Output,
  outOption,
  outputName,
  pngFile,
  qualityOption,
  suffixed,
} from "../outputs.ts";
import { Reporter } from "../print.ts";
import { remoteEdits, type ServerFlags, serverOptions } from "../remote/index.ts";
import { type Arguments, isPreparedFile, requireQuotedPrompt, splitArguments, taskCount } from "./sources.ts";
import {
  type Edit,
  type MadeTask,
  type OpenedTasks,
  type PhotoFlags,
  photoOptions,
  qualityJson,
  runTask,
  savedIn,
  withTasks,
} from "./tasks.ts";

interface Flags extends PhotoFlags, ServerFlags {
  readonly out: string;
  readonly quality?: number;
  readonly saveAll?: boolean;
  readonly saveInversion?: string;
  readonly preview?: string;
  readonly like?: string;
  readonly scorer?: string;
}

const preparedFile = fileNamed(".safetensors");
/** Largest number of edits of one command. */
const MAX_EDITS = 10_000;

/** Returns a contact sheet of the photo and the method's pictures. */
function beforeAndAfter({ photo, source, plan, method }: MadeTask, { roundTrip, images }: TaskResult): Picture {
  const before = { picture: photo?.picture ?? roundTrip, label: photo ? source : `${source}, VAE round trip` };
  const after = Object.entries(method.pictures).map(([name, label]) => ({
    picture: images[name],
    label: name === "edit" ? `edit: ${plan.target}` : label,
  }));
  return contactSheet([before, ...after], { columns: 1 + after.length });
}

/** Returns a contact sheet of the edits that the strength was chosen from. */
const stripSheet = (strip: NonNullable<TaskResult["strip"]>): Picture =>
  contactSheet(
    strip.map(({ keep, match, picture }) => ({ picture, label: `keep ${keep}\nmatch ${match.toFixed(2)}` })),
    { columns: strip.length },
  );

/** Returns photo and prompt of each edit, in order. A prepared photo has its own prompt. */
const pairsOf = ({ sources, prompts }: Arguments): { source: string; prompt: string }[] =>
  sources.flatMap((source) =>
    isPreparedFile(source) ? [{ source, prompt: prompts[0] ?? "" }] : prompts.map((prompt) => ({ source, prompt })),
  );

/** Returns the output files of each edit: its pictures by name, and the prepared photo if it is saved. */
function filesOf({ out, saveAll, saveInversion }: Flags, others: readonly string[], given: Arguments) {
  const pairs = pairsOf(given);
  return pairs.map((pair, index) => {
    const edit = outputName(out, pair, index, pairs.length);
    const more = saveAll ? others.map((name) => [name, suffixed(edit, name)]) : [];
    return {
      prepared: saveInversion && numbered(saveInversion, index, pairs.length),
      pictures: { edit, ...Object.fromEntries(more) } as Record<string, string>,
    };
  });
}

type Files = ReturnType<typeof filesOf>;

/** Returns all files that the edits write. */
const outputsOf = (files: Files, preview: string | undefined): Output[] => [
  ...files.flatMap(({ pictures, prepared }) => [
    ...Object.values(pictures).map((path) => ({ option: "--out", path })),
    ...(prepared ? [{ option: "--save-inversion", path: prepared }] : []),
  ]),
  ...(preview === undefined ? [] : [{ option: "--preview", path: preview }]),
];

/** Makes one edit and writes it. Returns its record and its part of the JSON output. */
async function makeEdit(
  { task, make }: Edit,
  { pictures }: Files[number],
  flags: Flags,
  work: Required<Work>,
  reporter: Reporter,
  prefix: string,
): Promise<{ record: EditRecord; json: object }> {
  const images = flags.saveAll ? Object.keys(task.method.pictures) : ["edit"];
  const { preview } = flags;
  const { saveAll: wholeStrip, scorer } = flags;
  const events = make({ images, previews: preview !== undefined, scorer, wholeStrip, signal: work.signal });
  const result = await runTask(task, events, work, reporter, {
    onPreview: (picture) => writePreview(`${preview}`, picture, reporter),
  });
  const { record, quality, iterations, estimate, strip } = result;
  const write = async (name: string, made: Picture): Promise<void> => {
    const { photo } = task;
    const finished =
      photo && Object.hasOwn(result.images, name) ? await finishedPicture(photo, made, runBlocking) : { picture: made };
    const options = { quality: flags.quality, alpha: "alpha" in finished ? finished.alpha : undefined };
    await writePicture(pictures[name], finished.picture, { ...record, image: name }, options);
    reporter.result(`${prefix}${pictures[name]}  ${name === "edit" ? task.plan.target : name}`);
  };
  for (const name of images) await write(name, result.images[name]);
  const { strip: stripFile, ...files } = pictures;
  if (flags.saveAll) await write("sheet", beforeAndAfter(task, result));
  if (flags.saveAll && strip) await write("strip", stripSheet(strip));
  const { photo, settings, strength } = record;
  const json = {
    photo,
    prompt: task.plan.target,
    files: strip && flags.saveAll ? { ...files, strip: stripFile } : files,
    quality: qualityJson(quality),
    iterations,
    estimate,
    settings,
    strength,
  };
  return { record, json };
}

/** Warns of edits that --like cannot repeat exactly: by another model, or of a photo that has changed. */
function warnOfChanges(
  made: EditRecord | undefined,
  like: string,
  model: string,
  edits: readonly Edit[],
  reporter: Reporter,
) {
  warnOfOtherModel(made, model, like, reporter);
  for (const { photo } of edits.map(({ task }) => task)) {
    if (made?.photo && photo?.name === made.photo.path && photo.sha256 !== made.photo.sha256) {
      reporter.warn(`${photo.name} has changed since ${like} was made, so the picture will differ`);
    }
  }
}

/** Writes a preview. Warns if it cannot be written, and lets the edit go on. */
export async function writePreview(path: string, picture: Picture, reporter: Reporter): Promise<void> {
  await writeFileAtomic(path, await encodePng(picture)).catch((error: unknown) => {
    if (!(error instanceof StorageError)) throw error;
    reporter.warn(`no preview, but the edit goes on: ${error.message}`);
  });
}

/** Returns photo and prompt of the record of --like. */
function repeatedArguments({ photo, settings: { target } }: EditRecord): Arguments {
  return { sources: photo ? [photo.path] : [], prompts: typeof target === "string" ? [target] : [] };
}

/** Throws StorageError if the photo in the record of --like is needed but missing. */
async function requirePhotoOf(made: EditRecord | undefined, like: string, sources: readonly string[]): Promise<void> {
  const path = made?.photo?.path;
  if (path === undefined || !sources.includes(path) || (await exists(path))) return;
  throw new StorageError("the photo of this picture is missing", {
    where: `--like ${like}`,
    found: `no file ${path}`,
    advice: `If it was moved or renamed, give its path: baret edit PHOTO --like ${like}`,
  });
}

/** Throws CheckpointError if --scorer names no CLIP model. Warns if no edit chooses its strength. */
async function checkScorer(scorer: string, tasks: readonly EditTask[], reporter: Reporter): Promise<void> {
  await requireScorer(scorer, nodePlatform);
  if (tasks.some(({ edit }) => edit.strength === "auto")) return;
  reporter.warn("--scorer has no effect: it helps to choose the strength, and no edit chooses it (--strength auto)");
}

async function run(command: Command, given: readonly string[], reporter: Reporter): Promise<void> {
  const { like } = command.opts<Flags>();
  const made = like === undefined ? undefined : await applyLike(command, like, reporter);
  const flags = command.opts<Flags>();
  const named = splitArguments(given, reporter, made && repeatedArguments(made));
  requireQuotedPrompt(named, flags.out);
  await requirePhotoOf(made, `${like}`, named.sources);
  const preparedBefore = named.sources.filter(isPreparedFile);
  if (flags.saveInversion !== undefined && preparedBefore.length > 0) {
    throw new UsageError("saves a photo that this command prepares, but this photo is prepared already", {
      where: "--save-inversion",
      found: preparedBefore.join(", "),
      advice: "Leave the option out, or copy the file.",
    });
  }
  requireAtMost(MAX_EDITS, taskCount(named), "edits");
  const method = chosenMethod(command);
  const { pictures, strip } = method;
  const others = [...Object.keys(pictures).filter((name) => name !== "edit"), "sheet", ...(strip ? ["strip"] : [])];
  const files = filesOf(flags, others, named);
  await checkOutputs(outputsOf(files, flags.preview), [
    ...named.sources,
    ...filesIn(method, givenValues(command, method, "edit")),
  ]);
  /** Makes the edits one after the other and prints the whole result. */
  const makeAll = async (edits: readonly Edit[], model: string, work: Required<Work>): Promise<void> => {
    warnOfChanges(made, `${like}`, model, edits, reporter);
    const ended: Awaited<ReturnType<typeof makeEdit>>[] = [];
    for (const [k, edit] of edits.entries()) {
      const prefix = edits.length > 1 ? `[${k + 1}/${edits.length}] ` : "";
      ended.push(await makeEdit(edit, files[k], flags, work, reporter, prefix));
    }
    const { version, model: used, engine } = ended[0].record;
    reporter.object({ command: "edit", version, model: used, engine, edits: ended.map(({ json }) => json) });
  };
  if (flags.server !== undefined) {
    const input = { ...flags, server: flags.server, images: flags.saveAll ? Object.keys(pictures) : ["edit"] };
    await remoteEdits(command, input, named, reporter, makeAll);
    return;
  }
  const use = async ({ maker, work, ...opened }: OpenedTasks): Promise<void> => {
    const options = givenValues(command, opened.method, "edit");
    const tasks = await Promise.all(opened.tasks.map((task) => planEdit(task, maker, options, true)));
    if (flags.scorer !== undefined) await checkScorer(flags.scorer, tasks, reporter);
    const edits = tasks.map((planned, k): Edit => {
      const task = savedIn(planned, files[k].prepared);
      return { task, make: (wanted) => editTask(task, wanted) };
    });
    await makeAll(edits, maker.model.sha256, work);
  };
  await withTasks(command, flags, named, use);
}

export function editCommand(): Command {
  const command = new Command("edit")
    .argument("[photo-then-prompt...]", "photos, folders of photos or prepared photos, then target prompts")
    .addOption(likeOption())
    .addOption(outOption("out.png", true))
    .addOption(qualityOption())
    .option("--save-all", "also write the method's other pictures, and a sheet of all of them")
    .addOption(
      option(
        "--scorer <name>",
        "CLIP model that helps to choose the strength, by its name or folder, such as clip (baret pull clip), default the " +
          "model's judge. noise, and the default of a model without a judge: the model's noise prediction alone chooses, and " +
          "made 82 % of the changes where plain sampling made 90 % and the choice with CLIP 94 % (docs/strength.md)",
        anyText,
      ),
    )
    .addOption(option("--save-inversion <file>", "save the prepared photo for further edits", preparedFile))
    .addOption(option("--preview <file.png>", "file that shows the edit while it is computed", pngFile));
  withExamples(
    command,
    'baret edit dog.png "a dog lying down" -o lying.png',
    'baret edit photos/ "a drawing" -o "{photo}-{prompt}.png"',
    'baret edit dog.png "a dog lying down" --method plain',
    "baret edit --like lying.png --alpha 1 -o other.png",
  );
  return serverOptions(photoOptions(command, ["prepare", "edit"], { chooses: true })).action(
    (given: string[], flags: Flags) => run(command, given, new Reporter(flags)),
  );
}
