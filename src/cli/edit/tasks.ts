import type { Command } from "commander";
import { CancelledError, type Picture, UsageError, type Work } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { type Method, type Prepared, type Quality, requirePreparedOf } from "../../editing/index.ts";
import { PreparedCache, readPrepared } from "../../editing/node/index.ts";
import { exists } from "../../storage/node/index.ts";
import { dB, type Maker, type SettingValues, type TaskEvent, type TaskResult } from "../../tasks/index.ts";
import { type EditTask, fits, openAll, openPhoto, type PhotoTask, planPhoto } from "../../tasks/node/index.ts";
import { holdingThread, working } from "../interrupt.ts";
import {
  chosenMethod,
  declaredOptions,
  givenValues,
  methodOptions,
  refuseGiven,
  unusualSettings,
  type Verb,
  writtenRemedies,
  writtenSettings,
} from "../methodOptions.ts";
import { type ModelFlags, makerOf, modelOptions, withModel } from "../model.ts";
import { anyText, choiceOption, integer, option, repeatable } from "../options.ts";
import { columns, type Reporter } from "../print.ts";
import { oneLine } from "../printable.ts";
import { type Arguments, isPreparedFile } from "./sources.ts";

export interface PhotoFlags extends ModelFlags {
  readonly fit: (typeof fits)[number];
  readonly source?: string;
  readonly preset?: string;
}

/** Adds the options of PhotoFlags, and those of the methods. */
export function photoOptions(command: Command, verbs: readonly Verb[]): Command {
  repeatable(methodOptions(command, verbs), (made) => {
    // Scripts may pass a seed to every command, whether its methods draw random numbers or not.
    const hasSeed = made.options.some(({ long }) => long === "--seed");
    if (!hasSeed) made.addOption(option("--seed <n>", "seed", integer(0, Number.MAX_SAFE_INTEGER)).hideHelp());
    made
      .optionsGroup("Photo:")
      .addOption(choiceOption("--fit <how>", "if photo and size differ in shape", fits).default("crop"))
      .addOption(option("--source <prompt>", "what the photo shows, for methods that need it", anyText));
  });
  return modelOptions(command);
}

/** What the commands of this folder work with. */
export interface Bench {
  readonly method: Method;
  readonly model: Model;
  readonly maker: Maker;
  readonly tasks: readonly PhotoTask[];
  readonly signal: AbortSignal;
  readonly progress: Work["onProgress"];
}

/** The method of what the arguments name: that of --method, else that of the first prepared photo, else the default. */
async function methodFor(
  command: Command,
  { sources }: Arguments,
): Promise<{ method: Method; prepared: Map<string, Prepared> }> {
  const prepared = new Map<string, Prepared>();
  for (const path of sources.filter(isPreparedFile)) prepared.set(path, await readPrepared(path));
  const [first] = prepared.values();
  return { method: chosenMethod(command, first?.method), prepared };
}

/**
 * Loads the model, reads and checks everything that the arguments name, so that what is wrong shows before any work, and
 * runs `use`.
 */
export async function withTasks(
  command: Command,
  flags: PhotoFlags,
  given: Arguments,
  use: (bench: Bench) => Promise<void>,
): Promise<void> {
  const { method, prepared } = await methodFor(command, given);
  if (given.sources.every(isPreparedFile)) {
    const names = ["size", "fit", "preset", "source", ...declaredOptions(method, ["prepare"]).map(({ name }) => name)];
    refuseGiven(command, names, "belongs to the preparation, which this file has behind it", given.sources.join(", "));
  }
  if (flags.source !== undefined && !method.needs.sourceCaption) {
    throw new UsageError(`${method.name} needs no caption of the photo`, {
      where: "--source",
      advice: "Leave it out.",
    });
  }
  const options = givenValues(command, method, "prepare");
  await working(flags.quiet ?? false, (work) =>
    withModel(flags, work, async (model) => {
      const maker = await makerOf(flags, model, work);
      const photos = given.sources.filter((path) => !isPreparedFile(path));
      const { size, fit, source: caption, preset } = flags;
      const opened = await openAll(
        photos.map((path) => async () => [path, await openPhoto(model, path, { size, fit }, holdingThread)] as const),
      );
      const photoOf = new Map(opened);
      const cache = new PreparedCache();
      const tasks: PhotoTask[] = [];
      for (const source of given.sources) {
        const known = prepared.get(source);
        const facts = { method, model, source, cache };
        for (const target of known ? given.prompts : []) {
          requirePreparedOf(method, model, known!, { model: maker.model.sha256, target }, source);
        }
        if (known) {
          requirePreparedOf(method, model, known, { model: maker.model.sha256 }, source);
          tasks.push({ ...facts, prepared: known, plan: known });
          continue;
        }
        for (const target of given.prompts) {
          const input = { target, source: caption, preset, options };
          tasks.push(await planPhoto({ ...facts, photo: photoOf.get(source)! }, input, work));
        }
      }
      await use({ method, model, maker, tasks, signal: work.signal, progress: work.onProgress });
    }),
  );
}

/** A task whose maker is known. */
type Announced = PhotoTask & Pick<EditTask, "maker">;

/** Prints the settings of a task: those that are not the default on one line, or all of them with --verbose. */
export function announce(
  { method, source, photo, plan, maker }: Announced,
  settings: SettingValues,
  reporter: Reporter,
): void {
  const how = photo?.how ?? "prepared before";
  reporter.info(oneLine(`${source} (${how}): ${plan.target}`));
  const { method: name, target: _, source: _caption, ...rest } = settings;
  const lines = (values: SettingValues): [string, string][] => writtenSettings(method, values);
  const { device, threads } = maker.engine;
  const all: [string, string][] = [["model", maker.model.name], ["method", `${name}`], ...lines(rest)];
  const verbose = columns(
    [...all, ["device", device], ["threads", `${threads}`]].map(([flag, text]) => [`  ${flag}`, text]),
  );
  const usual = new Set(["size", "fit"]);
  const unusual = Object.entries(unusualSettings(method, rest)).filter(([key]) => !usual.has(key));
  const short = lines(Object.fromEntries(unusual)).map(([flag, text]) => `${flag} ${text}`);
  reporter.infoOr(oneLine(`  ${maker.model.name}, ${name}, ${rest.size}: ${short.join(", ")}`), verbose);
}

/** Prints how well the prepared photo reproduces the photo. */
function reportQuality({ source }: PhotoTask, { inversion, vae, photo }: Quality, reporter: Reporter): void {
  if (inversion === undefined) return;
  const ofPhoto =
    photo === undefined || vae === undefined
      ? ""
      : `; to the photo itself ${dB(photo)}, of ${dB(vae)} that the model's VAE leaves of it`;
  reporter.info(`Reconstruction of ${source}: ${dB(inversion)} to what the model sees of the photo${ofPhoto}.`);
}

/** Quality for JSON, which has no infinity. */
export function qualityJson({ inversion, vae, photo }: Quality): object {
  const finite = (x: number | undefined) => (x === undefined || Number.isFinite(x) ? x : null);
  return { inversion: finite(inversion), vae: finite(vae), photo: finite(photo) };
}

/** What a command does with the events that are not the same for all. */
export interface Handlers {
  readonly onPreview?: (picture: Picture) => Promise<void>;
  readonly onPicture?: (index: number, picture: Picture, settings: SettingValues) => Promise<void>;
}

/** Prints a task's events as they come, and gives its result. */
export async function follow(
  task: Announced,
  events: AsyncIterable<TaskEvent>,
  { progress }: Pick<Bench, "progress">,
  reporter: Reporter,
  { onPreview, onPicture }: Handlers = {},
): Promise<TaskResult> {
  let result: TaskResult | undefined;
  let steps = 0;
  try {
    for await (const event of events) {
      if (event.type === "settings") announce(task, event.settings, reporter);
      else if (event.type === "progress") {
        steps++;
        progress?.(event);
      } else if (event.type === "warning") {
        const { message, remedies } = event.warning;
        const help = remedies ? `. What can help: ${writtenRemedies(task.method, remedies)}` : "";
        reporter.warn(`${message}${help}`);
      } else if (event.type === "prepared") reportQuality(task, event.quality, reporter);
      else if (event.type === "preview") await onPreview?.(event.picture);
      else if (event.type === "picture") await onPicture?.(event.index, event.picture, event.settings);
      else result = event.result;
    }
  } catch (error) {
    if (error instanceof CancelledError && steps > 0) await reportKept(task, reporter);
    throw error;
  }
  return result!;
}

/** Says where the finished steps of a stopped task are. */
async function reportKept({ file, prepared }: PhotoTask, reporter: Reporter): Promise<void> {
  if (prepared || (file !== undefined && !(await exists(file)))) return;
  const place = file === undefined ? "The cache" : file;
  reporter.info(`${place} holds what is finished. The same command goes on from there.`);
}
