import { dirname, isAbsolute, relative } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../core/index.ts";
import { version } from "../storage/node.ts";
import { applySettings, option } from "./options.ts";
import { type Metadata, readMetadata } from "./output.ts";
import { note, type Voice } from "./print.ts";

export const likeOption = () =>
  option("--like <file.png>", "repeat what made that picture; options given here win", {
    expected: "a PNG that baret wrote",
    read: (text) => text || undefined,
  });

/**
 * Gives the options that are left open the values that made a picture. The picture may come from a stranger: it chooses
 * neither the files that are written nor, without a word, those that are read from elsewhere.
 */
export async function repeat(command: Command, path: string, voice: Voice): Promise<Metadata> {
  const made = await readMetadata(path);
  if (made.command !== command.name()) {
    throw new UsageError("--like", {
      found: `a picture of baret ${made.command}`,
      expected: `one of ${command.name()}`,
    });
  }
  const { name: model, prediction, variant } = made.model;
  const { device, threads } = made.engine;
  applySettings(command, { ...made.settings, model, prediction, variant, device, threads }, path);
  const isRepeated = command.getOptionValueSource("model") === "config";
  const isPath = isAbsolute(model) || model.startsWith(".");
  if (isRepeated && isPath && isElsewhere(path, model)) note(`${path} asks for the model ${model}`);
  if (made.photo && isElsewhere(path, made.photo.path)) note(`${path} was made of the photo ${made.photo.path}`);
  if (made.version !== version) {
    voice.warn(`${path} was made by baret ${made.version}; what this ${version} makes may differ from it`);
  }
  return made;
}

/** Whether `file` lies outside the folder of `picture`. */
const isElsewhere = (picture: string, file: string): boolean =>
  /^\.\.|^[/\\]|^\w:/.test(relative(dirname(picture), file));

/** Warns if another model made the picture. */
export function warnOfOtherModel(made: Metadata | undefined, sha256: string, path: string, voice: Voice): void {
  if (made && made.model.sha256 !== sha256) voice.warn(`another model made ${path}: the picture will differ from it`);
}
