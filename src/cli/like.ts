import { dirname, isAbsolute, relative } from "node:path";
import type { Command } from "commander";
import { isRecordedFile, StorageError, UsageError, version } from "../core/index.ts";
import { methods } from "../editing/index.ts";
import { exists } from "../storage/node/index.ts";
import type { EditRecord, SettingValues } from "../tasks/index.ts";
import { readRecord } from "../tasks/node/index.ts";
import { applySettings, nonEmpty, option, refuseWrongOptions } from "./options.ts";
import { note, type Reporter } from "./print.ts";

export const likeOption = () =>
  option(
    "--like <picture>",
    "use the settings of a picture that baret made; options given here take precedence",
    nonEmpty("a picture that baret made"),
  );

/**
 * Sets the options that the command line does not give to those of a picture's record. The picture may come from a stranger,
 * so its record cannot choose the files to write, and a note names every file of another folder that it lets baret read.
 */
export async function applyLike(command: Command, path: string, reporter: Reporter): Promise<EditRecord> {
  if (!(await exists(path))) {
    throw new StorageError("there is no such file", {
      where: `--like ${path}`,
      expected: "a picture that baret wrote",
    });
  }
  const made = await readRecord(path);
  if (made.command !== command.name()) {
    throw new UsageError("--like", {
      found: `a picture of baret ${made.command}`,
      expected: `one of baret ${command.name()}`,
    });
  }
  const { name: model, prediction, variant } = made.model;
  const { device, threads, precision, linear } = made.engine;
  const settings = currentNames(made.settings);
  applySettings(command, { ...settings, model, prediction, variant, device, threads, precision, linear }, path);
  refuseRecorded(command, path);
  const isRepeated = command.getOptionValueSource("model") === "config";
  const isPath = isAbsolute(model) || model.startsWith(".");
  if (isRepeated && isPath && isElsewhere(path, model)) note(`${path} was made with the model ${model}`);
  if (made.photo && isElsewhere(path, made.photo.path)) note(`${path} was made from the photo ${made.photo.path}`);
  for (const { path: file } of Object.values(settings).filter(isRecordedFile)) {
    if (isElsewhere(path, file)) note(`${path} was made with the file ${file}`);
  }
  if (made.version !== version) {
    reporter.warn(`${path} was made by baret ${made.version}, this is ${version}: the picture may differ`);
  }
  return { ...made, settings };
}

/** Adds the settings of older versions under their present names. */
function currentNames(settings: SettingValues): SettingValues {
  const former = methods().flatMap(({ formerNames = {} }) => Object.entries(formerNames));
  const renamed = former.map(([name, present]) => [present, settings[name]]);
  return { target: settings.sentence, prompt: settings.sentence, ...Object.fromEntries(renamed), ...settings };
}

/** Throws UsageError that names the picture if the options do not take its settings. */
function refuseRecorded(command: Command, where: string): void {
  try {
    refuseWrongOptions(command);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`settings that the options do not take\n${error.message.replace(/\.$/, "")}`, { where });
  }
}

/** Tells if `file` is outside the folder of `picture`. */
const isElsewhere = (picture: string, file: string): boolean =>
  /^\.\.|^[/\\]|^\w:/.test(relative(dirname(picture), file));

/** Warns if another model made the picture. */
export function warnOfOtherModel(made: EditRecord | undefined, sha256: string, path: string, reporter: Reporter): void {
  if (made && made.model.sha256 !== sha256)
    reporter.warn(`${path} was made with another model, so the picture will differ`);
}
