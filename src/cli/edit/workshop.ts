import type { Command } from "commander";
import { type BaretError, CancelledError, UsageError, type Work } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import type { BaretSettings } from "../../editing/index.ts";
import { type Fidelity, fidelityOf, type Inversion, type InversionSettings } from "../../inversion/index.ts";
import { prepare, Shelf } from "../../inversion/node.ts";
import { exists } from "../../storage/node.ts";
import { working } from "../interrupt.ts";
import { type ModelFlags, modelOptions, type Origin, originOf, samplingOf, withModel } from "../model.ts";
import { seedOption } from "../options.ts";
import { lostWordsWarning, type Voice } from "../print.ts";
import { writtenEdit } from "./editOptions.ts";
import { type InversionFlags, inversionOptions, inversionOptionsOf, writtenInversion } from "./inversionOptions.ts";
import { reportFidelity, warnOfPhoto } from "./report.ts";
import { type Arguments, isInversionFile, readTasks, type Task } from "./sources.ts";

export type PhotoFlags = ModelFlags & InversionFlags;

/** Adds the options of PhotoFlags. */
export const photoOptions = (command: Command): Command =>
  modelOptions(inversionOptions(command), seedOption(0, "changes nothing here: no step of BARET draws at random"));

/** What the commands of this folder work with. */
export interface Workshop {
  readonly model: Model;
  readonly origin: Origin;
  readonly tasks: readonly Task[];
  readonly work: Required<Work>;
  readonly voice: Voice;
}

/** Options that say how a photo is inverted, which an inversion file has behind it. */
const ofInversion = [
  "size",
  "fit",
  "steps",
  "guidance",
  "preset",
  "inversionPrompt",
  "inversionGuidance",
  "learningRate",
  "learningRateEnd",
  "iterations",
  "earlyStop",
  "threshold",
  "warmStart",
  "nearestStart",
  "resetAdam",
  "carry",
];

function refuseInversionOptions(command: Command, { sources }: Arguments): void {
  if (!sources.every(isInversionFile)) return;
  const given = command.options.filter(
    (one) => ofInversion.includes(one.attributeName()) && command.getOptionValueSource(one.attributeName()) === "cli",
  );
  if (given.length === 0) return;
  throw new UsageError("belongs to the inversion, which this file has behind it", {
    where: given.map(({ long }) => long).join(", "),
    found: sources.join(", "),
    advice: "Leave it out, or give the photo.",
  });
}

/** Loads the model, reads and checks everything that the arguments name, and runs `use`. */
export function inWorkshop(
  command: Command,
  flags: PhotoFlags,
  given: Arguments,
  voice: Voice,
  use: (workshop: Workshop) => Promise<void>,
): Promise<void> {
  refuseInversionOptions(command, given);
  return working(flags.quiet ?? false, (work) =>
    withModel(flags, work, async (model) => {
      for (const { message } of model.warnings) voice.warn(message);
      const { size } = samplingOf(flags, model);
      const origin = await originOf(command.name(), flags, model, work);
      const { sha256 } = origin.model;
      const tasks = await readTasks(given, { size, fit: flags.fit, model, modelSha256: sha256 });
      for (const photo of new Set(tasks.map((task) => task.photo))) if (photo) warnOfPhoto(photo, voice);
      await warnOfLostWords(model, [...tasks.map(({ sentence }) => sentence), flags.inversionPrompt], voice, work);
      await use({ model, origin, tasks, work, voice });
    }),
  );
}

async function warnOfLostWords(
  model: Model,
  sentences: readonly (string | undefined)[],
  voice: Voice,
  { signal }: Work,
): Promise<void> {
  const said = [...new Set(sentences.filter((sentence) => sentence !== undefined))];
  for (const [k, { lostWords }] of (await model.embed(said, signal)).entries()) {
    if (lostWords.length > 0) voice.warn(lostWordsWarning(said[k], lostWords));
  }
}

/** All settings of one edit, under the names of the options that give them. */
export const plannedSettings = (
  { sentence, inversion }: Task,
  settings: InversionSettings,
  edit: BaretSettings,
  flags: PhotoFlags,
  model: Model,
) => {
  const { size } = inversion ?? samplingOf(flags, model);
  return {
    sentence,
    size,
    fit: flags.fit,
    ...writtenInversion(settings, sentence),
    ...writtenEdit(edit, model.attentionSites(size)),
    seed: flags.seed,
  };
};

/**
 * The inversion of a task, from its file, or made now and kept in `file` or on the shelf, and how well it reproduces the
 * photo, which is said.
 */
export async function invertedTask(
  { source, sentence, photo, inversion: known }: Task,
  flags: PhotoFlags,
  { model, work, voice }: Workshop,
  file?: string,
): Promise<{ inversion: Inversion; fidelity: Fidelity }> {
  const options = { ...inversionOptionsOf(flags), target: sentence, file, shelf: new Shelf() };
  const inversion =
    known ??
    (await prepare(model, photo!.picture, options, work).catch(async (error: BaretError) => {
      if (error instanceof CancelledError && file !== undefined && (await exists(file))) {
        voice.detail(`${file} holds what is finished. The same command goes on from there.`);
      }
      throw error;
    }));
  const fidelity = await fidelityOf(model, inversion, photo?.picture, work.signal);
  reportFidelity(fidelity, source, inversion.settings, model.editing, voice);
  return { inversion, fidelity };
}
