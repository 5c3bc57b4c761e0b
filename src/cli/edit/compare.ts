import { Command } from "commander";
import { BaretError, requireAtMost, UsageError, type Work } from "../../core/index.ts";
import { type Method, methods } from "../../editing/index.ts";
import { PreparedCache } from "../../editing/node/index.ts";
import {
  type ComparedEdit,
  type CompareEvent,
  type Comparison,
  compareTask,
  comparisonSheet,
  dB,
  type EditTask,
  everyMethod,
  isMade,
  type LeftOut,
  type MadeEdit,
  type Maker,
  methodsToCompare,
  openClip,
  type Photo,
  planComparison,
} from "../../tasks/index.ts";
import { writePicture, writtenPicture } from "../../tasks/node/index.ts";
import { statusOf } from "../exitStatus.ts";
import { runBlocking, sayingIfCancelled, withProgress } from "../interrupt.ts";
import { assignedOptions, assignmentOption, filesIn, writtenSettings } from "../methodOptions.ts";
import { makerOf, withModel } from "../model.ts";
import { integer, listOption, nonEmpty, option, withExamples } from "../options.ts";
import { checkOutputs, outputName, pngFile, suffixed } from "../outputs.ts";
import { columns, Reporter } from "../print.ts";
import { remoteComparisons, type ServerFlags, serverOptions } from "../remote/index.ts";
import { type Arguments, isPreparedFile, requireQuotedPrompt, splitArguments } from "./sources.ts";
import {
  captionedPhotoOptions,
  openPhotos,
  type PhotoFlags,
  type PrintedTask,
  printEstimate,
  printPhoto,
  printSettings,
} from "./tasks.ts";

interface Flags extends PhotoFlags, ServerFlags {
  readonly out: string;
  readonly methods?: readonly string[];
  readonly set?: readonly string[];
  readonly seed?: number;
  readonly clip?: string;
  readonly cache: boolean;
}

/** Largest number of edits of one command. */
const MAX_EDITS = 10_000;

/** Output files of one comparison: the sheet, and a picture for each method. */
interface Files {
  readonly sheet: string;
  readonly pictureOf: (method: Pick<Method, "name">) => string;
}

/** Returns the photo, the prompt and the files of each comparison. */
function comparisonsOf({ sources, prompts }: Arguments, out: string) {
  const pairs = sources.flatMap((source) => prompts.map((prompt) => ({ source, prompt })));
  return pairs.map((pair, index) => {
    const sheet = outputName(out, pair, index, pairs.length);
    return { ...pair, files: { sheet, pictureOf: ({ name }: Pick<Method, "name">) => suffixed(sheet, name) } };
  });
}

const seconds = (value: number): string => value.toFixed(1);

function rowOf(edit: MadeEdit, file: string): string[] {
  const { prepare, edit: own } = edit.costs;
  return [
    edit.method,
    seconds(prepare.seconds),
    seconds(own.seconds),
    `${prepare.evaluations + own.evaluations}`,
    `${prepare.gradients + own.gradients}`,
    dB(edit.psnr),
    edit.clipScore?.toFixed(3) ?? "–",
    `${file}${edit.isReused ? " (made before)" : ""}`,
  ];
}

/** Returns a table of the edits: time, predictions and gradients of the U-Net, likeness to the photo and to the prompt. */
function tableOf(edits: readonly ComparedEdit[], { pictureOf }: Files): string {
  const head = ["method", "prepare s", "edit s", "U-Net rows", "gradients", "PSNR to photo", "CLIPScore", "picture"];
  const rows = edits.map((edit) =>
    isMade(edit) ? rowOf(edit, pictureOf({ name: edit.method })) : [edit.method, ...Array(6).fill("–"), "failed"],
  );
  return columns([head, ...rows]);
}

/** Returns an edit for JSON. JSON has no infinity, so null replaces it. */
function editJson(edit: ComparedEdit, { pictureOf }: Files): object {
  if (!isMade(edit)) {
    const { method, settings, error } = edit;
    const code = error instanceof BaretError ? error.code : "unexpected";
    return { method, settings, error: { code, message: error.message } };
  }
  const { method, record, costs, estimate, psnr, clipScore, isReused } = edit;
  const file = pictureOf({ name: method });
  const { settings } = record;
  const likeness = { psnr: Number.isFinite(psnr) ? psnr : null, clipScore };
  return { method, file, isReused, ...costs, estimate, ...likeness, settings };
}

/** The facts of a comparison that are printed and written, whether it is made here or by a server. */
interface PrintedComparison {
  readonly photo: Photo;
  readonly target: string;
  readonly tasks: readonly PrintedTask[];
}

/** Runs one comparison: prints its events, and writes every picture and the sheet as soon as they are there. */
async function compare(
  { photo, target, tasks }: PrintedComparison,
  files: Files,
  events: AsyncIterable<CompareEvent>,
  { onProgress }: Work,
  reporter: Reporter,
): Promise<readonly ComparedEdit[]> {
  const edits: ComparedEdit[] = [];
  const settings = { target, methods: tasks.map(({ method }) => method.name) };
  let task = tasks[0];
  /** The methods have one caption. */
  let caption: unknown;
  printPhoto(task, reporter);
  for await (const event of events) {
    if (event.type === "method") task = tasks[event.index];
    else if (event.type === "settings") {
      const { source, ...settings } = event.settings;
      printSettings(task, source === caption ? settings : event.settings, reporter);
      caption = source ?? caption;
    } else if (event.type === "estimate") printEstimate(event.estimate, reporter);
    else if (event.type === "progress") onProgress?.({ ...event, phase: `${task.method.name}: ${event.phase}` });
    else if (event.type === "warning") warn(task, event.warning, reporter);
    else if (event.type === "compared") {
      edits.push(event.edit);
      if (!isMade(event.edit)) {
        reporter.warn(`${event.edit.method} failed: ${event.edit.error.message}`);
        continue;
      }
      const { picture, alpha, record: own, isReused } = event.edit;
      if (!isReused) await writePicture(files.pictureOf(task.method), picture, own, { alpha });
      const sheet = comparisonSheet({ picture: photo.picture, label: `${photo.name}\n${target}` }, edits);
      const { version, model, engine, photo: used } = own;
      await writePicture(files.sheet, sheet, { command: "compare", version, model, engine, photo: used, settings });
      if (!isReused) reporter.info(`  ${files.pictureOf(task.method)}`);
    }
  }
  return edits;
}

function warn(
  { method }: PrintedTask,
  { message, remedies }: { message: string; remedies?: object },
  reporter: Reporter,
) {
  const written = writtenSettings(method, { ...remedies }).map(
    ([flag, text]) => `--set ${method.name}.${flag}=${text}`,
  );
  reporter.warn(`${message}${written.length > 0 ? `. These may help: ${written.join(", ")}` : ""}`);
}

const leftOutText = ({ method, why }: LeftOut): string => `${method} is left out: ${why}.`;

async function run(command: Command, given: readonly string[], flags: Flags, reporter: Reporter): Promise<void> {
  const named = splitArguments(given, reporter);
  requireQuotedPrompt(named, flags.out);
  const prepared = named.sources.filter(isPreparedFile);
  if (prepared.length > 0) {
    throw new UsageError("each method prepares the photo itself, but this photo is prepared", {
      found: prepared.join(", "),
    });
  }
  const { chosen, leftOut } = methodsToCompare(flags.methods, flags.source);
  const seeded = flags.seed !== undefined && chosen.some(({ needs }) => needs.randomSeed);
  const texts = [...(seeded ? [`seed=${flags.seed}`] : []), ...(flags.set ?? [])];
  const options = assignedOptions(texts, chosen, (message) => reporter.warn(message));
  const wanted = comparisonsOf(named, flags.out);
  requireAtMost(MAX_EDITS, wanted.length * chosen.length, "edits");
  const written = wanted.flatMap(({ files: { sheet, pictureOf } }) => [sheet, ...chosen.map(pictureOf)]);
  await checkOutputs(
    written.map((path) => ({ option: "--out", path })),
    [...named.sources, ...[...options].flatMap(([method, { edit }]) => filesIn(method, edit))],
  );
  for (const one of leftOut) reporter.info(leftOutText(one));
  /** Makes the comparisons one after the other, and prints the whole result. */
  const makeAll = async (
    comparisons: readonly (PrintedComparison & { readonly events: () => AsyncIterable<CompareEvent> })[],
    maker: Maker | undefined,
    clip: () => string | undefined,
    work: Work,
  ): Promise<void> => {
    const made: object[] = [];
    const failures: Error[] = [];
    let record: Maker | undefined;
    for (const [k, { source, prompt, files }] of wanted.entries()) {
      const edits = await compare(comparisons[k], files, comparisons[k].events(), work, reporter);
      record ??= edits.find(isMade)?.record;
      failures.push(...edits.flatMap((edit) => (isMade(edit) ? [] : [edit.error])));
      for (const line of tableOf(edits, files).split("\n")) reporter.result(line);
      const sheet = edits.some(isMade) ? files.sheet : undefined;
      if (sheet) reporter.result(`${sheet}  ${source}: ${prompt}`);
      made.push({ photo: source, prompt, sheet, methods: edits.map((edit) => editJson(edit, files)) });
    }
    // A server names itself in the records of its pictures only.
    const { version, model, engine } = { ...record, ...maker };
    reporter.object({ command: "compare", version, model, engine, clip: clip(), leftOut, comparisons: made });
    if (failures.length > 0) process.exitCode = statusOf(failures[0]);
  };
  const { server } = flags;
  const compareHere = (): Promise<void> =>
    withProgress(flags.quiet ?? false, (work) =>
      withModel(flags, work, async (model) => {
        const maker = await makerOf(flags, model, work);
        const photos = await openPhotos(chosen, model, named.sources, flags, work);
        const store = flags.cache ? new PreparedCache() : undefined;
        // Without these, the task decides: an estimate takes a second.
        const common = { model, maker, store, estimates: flags.verbose || flags.json || undefined };
        const methods = chosen.map((method) => ({ method, options: options.get(method)! }));
        const planned: Comparison[] = [];
        for (const { source, prompt } of wanted) {
          const input = { ...common, ...photos.get(source)!, methods, target: prompt };
          planned.push(await planComparison(input, work.signal));
        }
        const clip = await openClip(model, flags.clip, work);
        const comparisons = planned.map((one, k) => {
          const written = ({ method }: EditTask) => writtenPicture(wanted[k].files.pictureOf(method));
          const reused = flags.cache ? { written } : {};
          return { ...one, events: () => compareTask(one, { clip, ...reused, runBlocking, signal: work.signal }) };
        });
        await makeAll(comparisons, maker, () => clip?.name, work);
      }),
    );
  const compareThere = (url: string): Promise<void> =>
    remoteComparisons(
      command,
      { ...flags, server: url },
      { chosen, options, wanted },
      reporter,
      (comparisons, session) =>
        makeAll(
          comparisons.map((one) => ({ ...one, events: () => one.events })),
          undefined,
          // All are made with the server's one model.
          () => comparisons.find((one) => one.clip() !== undefined)?.clip(),
          session.work,
        ),
    );
  await sayingIfCancelled(
    () => reporter.info("Finished pictures and finished steps are kept. Run the same command again to resume."),
    () => (server === undefined ? compareHere() : compareThere(server)),
  );
}

const namesOf = (some: readonly Method[]): string => some.map(({ name }) => name).join(", ");

export function compareCommand(): Command {
  const command = new Command("compare")
    .description(
      "edit photos with several methods: a picture of each, a labelled sheet, and a table of time, predictions and " +
        "gradients of the U-Net, PSNR to the photo and CLIPScore. Methods share what they have in common, so the first one " +
        "that needs an inversion or a program pays for it. Finished pictures are not made again",
    )
    .argument("<photo-then-prompt...>", "photos or folders of photos, then target prompts")
    .addOption(
      option(
        "-o, --out <file.png>",
        "sheet to write; the pictures are named after it: compare-baret.png, compare-plain.png, …",
        pngFile,
      ).default("compare.png"),
    )
    .optionsGroup("Methods:")
    .addOption(
      listOption(
        "--methods <names>",
        `methods, separated by commas (${namesOf(methods())}), default all that the inputs allow, except those that tune weights; ${everyMethod}: those too (${namesOf(methods().filter(({ needs }) => needs.weightGradients))}), each about a minute with the Menagerie, hours and several times the model's memory with Stable Diffusion on a CPU`,
      ),
    )
    .addOption(assignmentOption())
    .addOption(
      option("--seed <n>", "seed of the methods that draw random numbers", integer(0, Number.MAX_SAFE_INTEGER)),
    )
    .addOption(
      option(
        "--clip <folder|name>",
        "CLIP model that scores the pictures, such as clip (baret pull clip), default the judge of the model, if it has one",
        nonEmpty("a folder or a name"),
      ),
    )
    .option(
      "--no-cache",
      "use nothing that another method or an earlier command has computed, so that the table shows whole costs",
    );
  withExamples(
    command,
    'baret compare dog.png "a dog lying down" --source "a dog standing"',
    'baret compare dog.png "a dog lying down" --methods baret,masactrl --set steps=20 --set masactrl.step=2',
    'baret compare photos/ "a drawing" -o "{photo}-compare.png"',
  );
  return serverOptions(captionedPhotoOptions(command)).action((given: string[], flags: Flags) =>
    run(command, given, flags, new Reporter(flags)),
  );
}
