import { basename, extname } from "node:path";
import { Command } from "commander";
import { type Picture, requireAtMost, StorageError, UsageError } from "../../core/index.ts";
import { contactSheet } from "../../image/index.ts";
import { encodePng } from "../../image/node/index.ts";
import { writeFileAtomic } from "../../storage/node/index.ts";
import type { EditRecord, TaskResult } from "../../tasks/index.ts";
import { type EditTask, editTask, finishedPicture, planEdit, writePicture } from "../../tasks/node/index.ts";
import { holdingThread } from "../interrupt.ts";
import { likeOption, repeat, warnOfOtherModel } from "../like.ts";
import { chosenMethod, givenValues } from "../methodOptions.ts";
import { fileNamed, option } from "../options.ts";
import { checkOutputs, numbered, type Output, outOption, pngFile, qualityOption, suffixed } from "../outputs.ts";
import { Reporter } from "../print.ts";
import { type Arguments, isPreparedFile, splitArguments, taskCount } from "./sources.ts";
import { type Bench, follow, type PhotoFlags, photoOptions, qualityJson, withTasks } from "./tasks.ts";

interface Flags extends PhotoFlags {
  readonly out: string;
  readonly quality?: number;
  readonly saveAll?: boolean;
  readonly saveInversion?: string;
  readonly preview?: string;
  readonly like?: string;
}

const preparedFile = fileNamed(".safetensors");
/** Most edits of one command. */
const MAX_EDITS = 10_000;

/** The photo beside the method's named pictures. */
function beforeAndAfter({ photo, source, plan, method }: EditTask, { roundTrip, images }: TaskResult): Picture {
  const before = { picture: photo?.picture ?? roundTrip, label: photo ? source : `${source}, as the model sees it` };
  const after = Object.entries(method.pictures).map(([name, label]) => ({
    picture: images[name],
    label: name === "edit" ? `edit: ${plan.target}` : label,
  }));
  return contactSheet([before, ...after], { columns: 1 + after.length });
}

/** A prompt as part of a file's name: at most 60 letters, digits and dashes. */
const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "-")
    .replaceAll(/^-|-$/g, "")
    .slice(0, 60) || "edit";

/** The file of edit `index` of `count`: by a pattern with {photo}, {prompt} and {index}, or numbered. */
export function outputName(
  pattern: string,
  { source, prompt }: { source: string; prompt: string },
  index: number,
  count: number,
): string {
  if (!/\{(photo|prompt|index)\}/.test(pattern)) return numbered(pattern, index, count);
  const parts: Record<string, string> = {
    photo: basename(source, extname(source)),
    prompt: slug(prompt),
    index: `${index + 1}`,
  };
  return pattern.replaceAll(/\{(photo|prompt|index)\}/g, (_, name: string) => parts[name]);
}

/** Photo and prompt of each edit, in order. A prepared photo has its own prompt. */
const pairsOf = ({ sources, prompts }: Arguments): { source: string; prompt: string }[] =>
  sources.flatMap((source) =>
    isPreparedFile(source) ? [{ source, prompt: prompts[0] ?? "" }] : prompts.map((prompt) => ({ source, prompt })),
  );

/** The files of each edit, by what is in them. */
function filesOf({ out, saveAll, saveInversion }: Flags, others: readonly string[], given: Arguments) {
  const pairs = pairsOf(given);
  return pairs.map((pair, index) => {
    const edit = outputName(out, pair, index, pairs.length);
    const more = saveAll ? others.map((what) => [what, suffixed(edit, what)]) : [];
    return {
      prepared: saveInversion && numbered(saveInversion, index, pairs.length),
      pictures: { edit, ...Object.fromEntries(more) } as Record<string, string>,
    };
  });
}

type Files = ReturnType<typeof filesOf>;

/** Everything that the edits write. */
const outputsOf = (files: Files, preview: string | undefined): Output[] => [
  ...files.flatMap(({ pictures, prepared }) => [
    ...Object.values(pictures).map((path) => ({ option: "--out", path })),
    ...(prepared ? [{ option: "--save-inversion", path: prepared }] : []),
  ]),
  ...(preview === undefined ? [] : [{ option: "--preview", path: preview }]),
];

/** Makes one edit and writes it. Gives what --json tells of it. */
async function makeEdit(
  planned: EditTask,
  { pictures, prepared }: Files[number],
  flags: Flags,
  bench: Bench,
  reporter: Reporter,
  place: string,
): Promise<object> {
  const task = { ...planned, file: prepared };
  const images = flags.saveAll ? Object.keys(task.method.pictures) : ["edit"];
  const { preview } = flags;
  const events = editTask(task, { images, previews: preview !== undefined, signal: bench.signal });
  const result = await follow(task, events, bench, reporter, {
    onPreview: (picture) => writePreview(`${preview}`, picture, reporter),
  });
  const { record, quality, iterations } = result;
  const write = async (what: string, made: Picture): Promise<void> => {
    const { photo } = task;
    const finished = photo && what !== "sheet" ? await finishedPicture(photo, made, holdingThread) : { picture: made };
    const options = { quality: flags.quality, alpha: "alpha" in finished ? finished.alpha : undefined };
    await writePicture(pictures[what], finished.picture, { ...record, image: what }, options);
    reporter.result(`${place}${pictures[what]}  ${what === "edit" ? task.plan.target : what}`);
  };
  for (const name of images) await write(name, result.images[name]);
  if (flags.saveAll) await write("sheet", beforeAndAfter(task, result));
  const { photo, settings } = record;
  return { photo, prompt: task.plan.target, files: pictures, quality: qualityJson(quality), iterations, settings };
}

/** Writes a preview. A preview that cannot be written is warned of, and the edit goes on. */
export async function writePreview(path: string, picture: Picture, reporter: Reporter): Promise<void> {
  await writeFileAtomic(path, await encodePng(picture)).catch((error: unknown) => {
    if (!(error instanceof StorageError)) throw error;
    reporter.warn(`no preview, but the edit goes on: ${error.message}`);
  });
}

/** Photo and prompt of the picture that is to be repeated. */
function repeatedArguments({ photo, settings: { target } }: EditRecord): Arguments {
  return { sources: photo ? [photo.path] : [], prompts: typeof target === "string" ? [target] : [] };
}

async function run(command: Command, given: readonly string[], reporter: Reporter): Promise<void> {
  const { like } = command.opts<Flags>();
  const made = like === undefined ? undefined : await repeat(command, like, reporter);
  const flags = command.opts<Flags>();
  const named = splitArguments(given, made && repeatedArguments(made));
  const preparedBefore = named.sources.filter(isPreparedFile);
  if (flags.saveInversion !== undefined && preparedBefore.length > 0) {
    throw new UsageError("keeps the preparation of a photo, and this file is one already", {
      where: "--save-inversion",
      found: preparedBefore.join(", "),
      advice: "Leave it out, or copy the file.",
    });
  }
  requireAtMost(MAX_EDITS, taskCount(named), "edits");
  const others = [...Object.keys(chosenMethod(command).pictures).filter((name) => name !== "edit"), "sheet"];
  const files = filesOf(flags, others, named);
  await checkOutputs(outputsOf(files, flags.preview), named.sources);
  const use = async (bench: Bench): Promise<void> => {
    const { method, maker } = bench;
    const options = givenValues(command, method, "edit");
    const tasks = bench.tasks.map((task) => planEdit(task, maker, options));
    warnOfOtherModel(made, maker.model.sha256, `${like}`, reporter);
    for (const { photo } of tasks) {
      if (made?.photo && photo?.name === made.photo.path && photo.sha256 !== made.photo.sha256) {
        reporter.warn(`${photo.name} is not what it was when ${like} was made`);
      }
    }
    const edits: object[] = [];
    for (const [k, task] of tasks.entries()) {
      const place = tasks.length > 1 ? `[${k + 1}/${tasks.length}] ` : "";
      edits.push(await makeEdit(task, files[k], flags, bench, reporter, place));
    }
    reporter.object({ command: "edit", ...maker, edits });
  };
  await withTasks(command, flags, named, use);
}

export function editCommand(): Command {
  const command = new Command("edit")
    .argument("[photo-then-prompt...]", "photos, folders of photos or prepared photos, then target prompts")
    .addOption(likeOption())
    .addOption(outOption("out.png"))
    .addOption(qualityOption())
    .option("--save-all", "also write the method's other pictures, and a sheet of all")
    .addOption(option("--save-inversion <file>", "keep the prepared photo, to edit it again", preparedFile))
    .addOption(option("--preview <file.png>", "a picture that shows the edit as it forms", pngFile))
    .addHelpText(
      "after",
      `
Examples:
  baret edit dog.png "a dog lying down" -o lying.png
  baret edit photos/ "a drawing" -o "{photo}-{prompt}.png"
  baret edit dog.png "a dog lying down" --method plain
  baret edit --like lying.png --alpha 1 -o other.png`,
    );
  return photoOptions(command, ["prepare", "edit"]).action((given: string[], flags: Flags) =>
    run(command, given, new Reporter(flags)),
  );
}
