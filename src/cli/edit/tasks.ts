import { existsSync } from "node:fs";
import type { Command } from "commander";
import { type Fit, fits, type Picture, UsageError, type Work } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import {
  type Method,
  methodsWithoutCaption,
  type Prepared,
  type Quality,
  requirePreparedOf,
  type Verb,
  withTarget,
} from "../../editing/index.ts";
import { PreparedCache, preparedFile, readPrepared } from "../../editing/node/index.ts";
import {
  type Caption,
  captionsOf,
  dB,
  type EditTaskWork,
  type Estimate,
  estimateText,
  type Maker,
  openAll,
  openPhoto,
  type Photo,
  type PhotoTask,
  planPhoto,
  type SettingValues,
  type StrengthRecord,
  type TaskEvent,
  type TaskResult,
} from "../../tasks/index.ts";
import { runBlocking, sayingIfCancelled, withProgress } from "../interrupt.ts";
import {
  changedSettings,
  chosenMethod,
  declaredOptions,
  flagsOf,
  givenValues,
  methodOptions,
  refuseGiven,
  type TakenOptions,
  withoutIdle,
  writtenRemedies,
  writtenSettings,
} from "../methodOptions.ts";
import { type ModelFlags, makerOf, modelOptions, withModel } from "../model.ts";
import { anyText, choiceOption, integer, option, repeatable, withFlags } from "../options.ts";
import { columns, type Reporter } from "../print.ts";
import { oneLine } from "../printable.ts";
import { type Arguments, isPreparedFile } from "./sources.ts";

export interface PhotoFlags extends ModelFlags {
  readonly fit: Fit;
  readonly source?: string;
  readonly preset?: string;
}

/** Adds the options of PhotoFlags and of the methods. */
export function photoOptions(command: Command, verbs: readonly Verb[], taking?: TakenOptions): Command {
  repeatable(methodOptions(command, verbs, taking), (made) => {
    // Scripts may pass a seed to every command, whether its methods draw random numbers or not.
    const hasSeed = made.options.some(({ long }) => long === "--seed");
    if (!hasSeed) made.addOption(option("--seed <n>", "seed", integer(0, Number.MAX_SAFE_INTEGER)).hideHelp());
  });
  return captionedPhotoOptions(command);
}

/** Adds the options that say how a photo is fitted and what it shows, and those of the model. */
export function captionedPhotoOptions(command: Command): Command {
  repeatable(command, (made) => {
    made
      .optionsGroup("Photo:")
      .addOption(choiceOption("--fit <way>", "way to fit the photo to the size", fits).default("crop"))
      .addOption(
        option(
          "--source <prompt>",
          "caption of the photo, for methods that use one; auto: the model's judge makes it",
          anyText,
        ),
      );
  });
  return modelOptions(command);
}

/** Planned tasks with their loaded model, and the progress bar and signal to run them with. */
export interface OpenedTasks {
  readonly method: Method;
  readonly model: Model;
  readonly maker: Maker;
  readonly tasks: readonly PhotoTask[];
  readonly work: Required<Work>;
}

/** Reads the prepared photos. Chooses the method of --method, else of the first prepared photo, else the default. */
async function methodFor(
  command: Command,
  { sources }: Arguments,
): Promise<{ method: Method; prepared: Map<string, Prepared> }> {
  const prepared = new Map<string, Prepared>();
  for (const path of sources.filter(isPreparedFile)) prepared.set(path, await readPrepared(path));
  const [first] = prepared.values();
  return { method: chosenMethod(command, first?.method), prepared };
}

/** Throws UsageError if a given option has no effect for these photos or this method, or if a caption is missing. */
export function checkUse(command: Command, { source }: PhotoFlags, given: Arguments, method: Method): void {
  if (given.sources.every(isPreparedFile)) {
    const names = ["size", "fit", "preset", "source", ...declaredOptions(method, ["prepare"]).map(({ name }) => name)];
    refuseGiven(command, names, "applies to preparing a photo, but this photo is already prepared", given.sources);
  }
  if (source === undefined && method.needs.caption === "required" && !given.sources.every(isPreparedFile)) {
    throw new UsageError(`${method.name} needs a caption of the photo`, {
      where: "--source",
      found: "nothing",
      expected: "what the photo shows, in quotes, or auto if the model has a judge",
      advice: `Methods that need none: ${methodsWithoutCaption()}.`,
    });
  }
}

/** Plans one task for each prepared photo, and for each photo with each prompt. */
async function planTasks(
  { method, model, maker, work }: Omit<OpenedTasks, "tasks">,
  { size, fit, source: caption, preset, verbose, json }: PhotoFlags,
  { sources, prompts }: Arguments,
  prepared: ReadonlyMap<string, Prepared>,
  options: SettingValues,
): Promise<PhotoTask[]> {
  const unprepared = sources.filter((path) => !prepared.has(path));
  const opened = await openPhotos([method], model, unprepared, { size, fit, source: caption }, work);
  const store = new PreparedCache();
  const tasks: PhotoTask[] = [];
  for (const source of sources) {
    // Without these, the task decides: an estimate takes a second.
    const estimates = verbose || json || undefined;
    const facts = { method, model, source, store, estimates };
    const known = prepared.get(source);
    if (known) {
      const targets = prompts.length > 0 ? [...new Set(prompts)] : [known.target];
      for (const target of targets)
        requirePreparedOf(method, model, known, { model: maker.model.sha256, target }, source);
      if (targets.length > 1) {
        throw new UsageError("a prepared photo takes one prompt at a time", {
          where: source,
          found: `${targets.length} prompts`,
        });
      }
      const prepared = withTarget(known, targets[0]);
      tasks.push({ ...facts, prepared, plan: prepared });
      continue;
    }
    const { photo, source: ownCaption, warnings } = opened.get(source)!;
    for (const target of prompts) {
      const input = { target, source: ownCaption, preset, options };
      tasks.push(await planPhoto({ ...facts, photo, warnings }, input, work));
    }
  }
  return tasks;
}

/**
 * Loads the model, opens and checks all files that the arguments name, plans the tasks, so that mistakes show before any
 * work, and runs `use`.
 */
export async function withTasks(
  command: Command,
  flags: PhotoFlags,
  given: Arguments,
  use: (opened: OpenedTasks) => Promise<void>,
): Promise<void> {
  const { method, prepared } = await methodFor(command, given);
  checkUse(command, flags, given, method);
  const options = givenValues(command, method, "prepare");
  await withProgress(flags.quiet ?? false, (work) =>
    withModel(flags, work, async (model) => {
      const maker = await makerOf(flags, model, work);
      const opened = { method, model, maker, work };
      await use({ ...opened, tasks: await planTasks(opened, flags, given, prepared, options) });
    }),
  );
}

/** A photo at the size to work at, with its caption and the warnings about the caption. */
export interface CaptionedPhoto extends Caption {
  readonly photo: Photo;
}

/**
 * Opens photos, each once, and finds their captions. Returns them by their paths. Throws one ImageError that lists every photo
 * that cannot be read, and as captionsOf.
 */
export async function openPhotos(
  methods: readonly Method[],
  model: Model,
  paths: readonly string[],
  { size, fit, source }: Pick<PhotoFlags, "size" | "fit" | "source">,
  work: Work,
): Promise<ReadonlyMap<string, CaptionedPhoto>> {
  const open = (path: string) => () => openPhoto(model, path, { size, fit }, runBlocking);
  const photos = await openAll([...new Set(paths)].map(open));
  const captions = await captionsOf(methods, model, photos, source, work);
  return new Map(photos.map((photo, k) => [photo.name, { photo, ...captions[k] }]));
}

/** Returns a task whose prepared photo is kept in a file, or the task itself if there is none. */
export const savedIn = <T extends PhotoTask>(task: T, file: string | undefined): T & Pick<PrintedTask, "file"> =>
  file === undefined ? task : { ...task, file, store: preparedFile(file, { trajectories: task.store?.trajectories }) };

/** The facts of a task that are printed, whether it runs here or on a server. */
export interface PrintedTask {
  readonly method: Method;
  readonly source: string;
  /** Absent for a prepared photo. */
  readonly photo?: Pick<Photo, "how">;
  readonly plan: { readonly target: string };
  /** engine: absent until the server tells it. */
  readonly maker: { readonly model: { readonly name: string }; readonly engine?: Maker["engine"] };
  /** Address of the server that runs it. */
  readonly server?: string;
  /** File of the prepared photo, if it is saved. */
  readonly file?: string;
  readonly prepared?: Prepared;
}

/** One edit, made here or by a server. */
export interface MadeTask extends PrintedTask {
  readonly photo?: Photo;
}

/** Arguments of making an edit. */
export type EditWork = Pick<EditTaskWork, "images" | "previews" | "wholeStrip" | "scorer" | "signal">;

/** An edit of this command, and how to make it. */
export interface Edit {
  readonly task: MadeTask;
  readonly make: (work: EditWork) => AsyncIterable<TaskEvent>;
}

/** Prints the photo and the prompt of a task. */
export function printPhoto({ source, photo, plan }: PrintedTask, reporter: Reporter): void {
  reporter.info(oneLine(`${source} (${photo?.how ?? "prepared photo"}): ${plan.target}`));
}

/** Prints the settings of a task: on one line those that are not the default, or with --verbose all of them. */
export function printSettings({ method, maker }: PrintedTask, settings: SettingValues, reporter: Reporter): void {
  const { method: name, target: _, source: caption, ...rest } = settings;
  if (caption !== undefined) reporter.info(oneLine(`  caption: ${caption}`));
  const lines = (values: SettingValues): [string, string][] => writtenSettings(method, values);
  const { engine } = maker;
  const all: [string, string][] = [["model", maker.model.name], ["method", `${name}`], ...lines(rest)];
  if (engine)
    all.push(
      ["device", engine.device],
      ["threads", `${engine.threads}`],
      ["precision", engine.precision],
      ["linear", engine.linear],
    );
  const verbose = columns(all.map(([flag, text]) => [`  ${flag}`, text]));
  // The first line has the size and the fit.
  const { size: _size, fit: _fit, ...changed } = changedSettings(method, withoutIdle(method, rest));
  const short = lines(changed).map(([flag, text]) => `${flag} ${text}`);
  reporter.infoOr(oneLine(`  ${maker.model.name}, ${name}, ${rest.size}: ${short.join(", ")}`), verbose);
}

/** Work of so many seconds is announced. */
const LONG = 20;

/** Prints an estimate if the work is long, or with --verbose. */
export function printEstimate(estimate: Estimate, reporter: Reporter): void {
  const text = `  This takes ${estimateText(estimate)}.`;
  if (estimate.seconds[1] >= LONG) reporter.info(text);
  else reporter.detail(text);
}

/** Prints the similarity of the reconstruction to the photo. */
function printQuality({ source }: PrintedTask, { inversion, vae, photo }: Quality, reporter: Reporter): void {
  if (inversion === undefined) return;
  const ofPhoto = photo === undefined || vae === undefined ? "" : `; ${dB(photo)} to the photo, of at most ${dB(vae)}`;
  reporter.info(`Reconstruction of ${source}: ${dB(inversion)} to the VAE's round trip${ofPhoto}.`);
}

/** Prints how the strength was chosen. */
function printStrength({ plan }: PrintedTask, { keep, match, photo, tried }: StrengthRecord, reporter: Reporter): void {
  const scorers = Object.keys(photo).join(" and ");
  const how = `of ${tried.length} edits, match ${match.toFixed(2)}, by ${scorers}`;
  reporter.info(oneLine(`Chose --keep ${keep} for ${plan.target}: ${how}.`));
}

/** Returns quality for JSON. JSON has no infinity, so null replaces it. */
export function qualityJson({ inversion, vae, photo }: Quality): object {
  const finite = (x: number | undefined) => (x === undefined || Number.isFinite(x) ? x : null);
  return { inversion: finite(inversion), vae: finite(vae), photo: finite(photo) };
}

/** Handlers of the events that each command handles in its own way. */
interface Handlers {
  readonly onPreview?: (picture: Picture) => Promise<void>;
  readonly onPicture?: (index: number, picture: Picture, settings: SettingValues) => Promise<void>;
}

/** Runs a task: prints its events and returns its result. */
export async function runTask(
  task: PrintedTask,
  events: AsyncIterable<TaskEvent>,
  { onProgress }: Work,
  reporter: Reporter,
  { onPreview, onPicture }: Handlers = {},
): Promise<TaskResult> {
  let result: TaskResult | undefined;
  let steps = 0;
  const named = (message: string): string => withFlags(flagsOf(task.method), message);
  const run = async (): Promise<void> => {
    for await (const event of events) {
      if (event.type === "settings") {
        printPhoto(task, reporter);
        printSettings(task, event.settings, reporter);
      } else if (event.type === "estimate") printEstimate(event.estimate, reporter);
      else if (event.type === "progress") {
        steps++;
        onProgress?.(event);
      } else if (event.type === "warning") {
        const { code, remedies } = event.warning;
        const message = code === "idle-option" ? named(event.warning.message) : event.warning.message;
        const help = remedies ? `. These may help: ${writtenRemedies(task.method, remedies)}` : "";
        reporter.warn(`${message}${help}`);
      } else if (event.type === "prepared") printQuality(task, event.quality, reporter);
      else if (event.type === "chosen") printStrength(task, event.strength, reporter);
      else if (event.type === "preview") await onPreview?.(event.picture);
      else if (event.type === "picture") await onPicture?.(event.index, event.picture, event.settings);
      else result = event.result;
    }
  };
  await sayingIfCancelled(() => {
    if (steps > 0) printSaved(task, reporter);
  }, run);
  return result!;
}

/** Prints the place of the finished steps of a stopped task. */
function printSaved({ file, prepared, server }: PrintedTask, reporter: Reporter): void {
  if (server !== undefined) {
    reporter.info(`The finished steps are on ${server}. Run the same command again to resume.`);
    return;
  }
  if (prepared || (file !== undefined && !existsSync(file))) return;
  reporter.info(`The finished steps are in ${file ?? "the cache"}. Run the same command again to resume.`);
}
