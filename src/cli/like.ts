import { dirname, isAbsolute, relative } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../core/index.ts";
import { version } from "../storage/node/index.ts";
import type { EditRecord, SettingValues } from "../tasks/index.ts";
import { readRecord } from "../tasks/node/index.ts";
import { applySettings, option, refuseWrongOptions } from "./options.ts";
import { note, type Reporter } from "./print.ts";

export const likeOption = () =>
  option("--like <file.png>", "repeat what made that picture; options given here win", {
    expected: "a PNG that baret wrote",
    read: (text) => text || undefined,
  });

/**
 * Gives the options that are left open the values that made a picture. The picture may come from a stranger: it chooses
 * neither the files that are written nor, without a word, those that are read from elsewhere.
 */
export async function repeat(command: Command, path: string, reporter: Reporter): Promise<EditRecord> {
  const made = await readRecord(path);
  if (made.command !== command.name()) {
    throw new UsageError("--like", {
      found: `a picture of baret ${made.command}`,
      expected: `one of ${command.name()}`,
    });
  }
  const { name: model, prediction, variant } = made.model;
  const { device, threads } = made.engine;
  const settings = currentNames(made.settings);
  applySettings(command, { ...settings, model, prediction, variant, device, threads }, path);
  refuseRecorded(command, path);
  const isRepeated = command.getOptionValueSource("model") === "config";
  const isPath = isAbsolute(model) || model.startsWith(".");
  if (isRepeated && isPath && isElsewhere(path, model)) note(`${path} asks for the model ${model}`);
  if (made.photo && isElsewhere(path, made.photo.path)) note(`${path} was made of the photo ${made.photo.path}`);
  if (made.version !== version) {
    reporter.warn(`${path} was made by baret ${made.version}; what this ${version} makes may differ from it`);
  }
  return { ...made, settings };
}

/** Settings of pictures that older versions made, under today's names. */
function currentNames({ sentence, selfLevels, crossLevels, ...settings }: SettingValues): SettingValues {
  return { target: sentence, prompt: sentence, selfLayers: selfLevels, crossLayers: crossLevels, ...settings };
}

/** Throws UsageError if the options do not take the settings of a picture; the message names the picture. */
function refuseRecorded(command: Command, where: string): void {
  try {
    refuseWrongOptions(command);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`settings that the options do not take\n${error.message.replace(/\.$/, "")}`, { where });
  }
}

/** Whether `file` lies outside the folder of `picture`. */
const isElsewhere = (picture: string, file: string): boolean =>
  /^\.\.|^[/\\]|^\w:/.test(relative(dirname(picture), file));

/** Warns if another model made the picture. */
export function warnOfOtherModel(made: EditRecord | undefined, sha256: string, path: string, reporter: Reporter): void {
  if (made && made.model.sha256 !== sha256)
    reporter.warn(`another model made ${path}: the picture will differ from it`);
}
