import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { counted, few, shown, UsageError } from "../../core/index.ts";
import { isPhotoName } from "../../image/index.ts";
import { storageError } from "../../storage/node/index.ts";
import { quoted } from "../options.ts";
import type { Reporter } from "../print.ts";

const preparedFile = /\.safetensors$/i;
/** Names of pictures in formats that baret does not read. */
const otherPicture = /\.(bmp|hei[cf]|svg|pdf)$/i;

/** Includes other formats, so that such files are refused as pictures and not taken for prompts. */
const isPictureName = (path: string): boolean => isPhotoName(path) || otherPicture.test(path);

export const isPreparedFile = (path: string): boolean => preparedFile.test(path);

export interface Arguments {
  /** Photos and files of prepared photos. */
  readonly sources: readonly string[];
  readonly prompts: readonly string[];
}

/** Returns the file status of a path, or undefined if there is no file or if the text is too long for a path. */
function statOf(text: string): Stats | undefined {
  try {
    return statSync(text);
  } catch {
    return undefined;
  }
}

const isFolder = (path: string): boolean => statOf(path)?.isDirectory() ?? false;

const readFormats = "PNG, JPEG, WebP, TIFF, AVIF or GIF";

/** Returns the names in a folder, sorted. Throws StorageError. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    throw storageError("the folder cannot be read", folder, cause);
  }
}

/**
 * Returns the pictures in a folder, sorted by name. Warns once of those in formats that baret does not read. Throws UsageError
 * if there are no others, StorageError.
 */
function picturesIn(folder: string, reporter: Pick<Reporter, "warn">): string[] {
  const names = namesIn(folder).filter((name) => isPictureName(name) && !name.startsWith("."));
  const found = names.filter(isPhotoName);
  const skipped = names.filter((name) => !isPhotoName(name));
  if (found.length === 0) {
    throw new UsageError("a folder without pictures", {
      where: folder,
      ...(skipped.length > 0 && { found: few(skipped) }),
      expected: readFormats,
    });
  }
  if (skipped.length > 0) reporter.warn(`${folder}: skipped ${few(skipped)}, which are not ${readFormats}`);
  return found.map((name) => join(folder, name));
}

/** Tells files from prompts: a prompt may end like a file name ("logo of acme.png"), but file names seldom have spaces. */
const looksLikeFile = (text: string): boolean =>
  (preparedFile.test(text) || isPictureName(text)) && (!/\s/.test(text) || statOf(text) !== undefined);

/** Throws UsageError if a prompt comes before a photo, or if there is only a prompt. */
export function requirePhotoFirst([first, ...others]: readonly string[]): void {
  if (first === undefined || looksLikeFile(first) || statOf(first)) return;
  const photo = others.find((text) => looksLikeFile(text) || isFolder(text));
  if (photo !== undefined) {
    throw new UsageError("photos come before prompts", {
      found: `${shown(first)}, which is not a file, before ${photo}`,
      advice: `Give the photo first, then the prompt: ${photo} ${shown(first)}`,
    });
  }
  if (others.length === 0 && /\s/.test(first)) {
    throw new UsageError("a photo is missing", {
      found: `only ${shown(first)}, which is not a file`,
      expected: "a photo, then a prompt in quotes",
    });
  }
}

/**
 * Splits arguments into photos, which come first, and prompts. Without `repeated`, the first argument is always a photo or a
 * folder of photos. Others are photos if they are folders or end like picture files or prepared photos. Photos or prompts
 * that are not given are those of `repeated`. Warns of pictures in folders that are skipped. Throws UsageError, StorageError.
 */
export function splitArguments(
  given: readonly string[],
  reporter: Pick<Reporter, "warn">,
  repeated?: Arguments,
): Arguments {
  if (repeated === undefined) requirePhotoFirst(given);
  const isSource = (text: string, k: number): boolean =>
    (k === 0 && repeated === undefined) || looksLikeFile(text) || isFolder(text);
  const end = given.findIndex((text, k) => !isSource(text, k));
  const [files, rest] = end < 0 ? [given, []] : [given.slice(0, end), given.slice(end)];
  const late = rest.filter((text, k) => isSource(text, k + 1));
  if (late.length > 0) {
    throw new UsageError("photos come before prompts", {
      found: `${late.join(", ")} after "${rest[0]}"`,
      advice: "Give the photos first, then the prompts, in quotes.",
    });
  }
  const sources = (files.length > 0 ? files : (repeated?.sources ?? [])).flatMap((path) =>
    isFolder(path) ? picturesIn(path, reporter) : [path],
  );
  const prompts = rest.length > 0 ? rest : (repeated?.prompts ?? []);
  if (sources.length === 0)
    throw new UsageError("a photo is missing", { expected: "a photo, then a prompt in quotes" });
  const blank = prompts.some((prompt) => prompt.trim() === "");
  if (blank || (prompts.length === 0 && !sources.every(isPreparedFile))) {
    throw new UsageError(`a prompt is ${blank ? "empty" : "missing"}`, {
      expected: "what the edited photo shows, in quotes",
    });
  }
  return { sources, prompts };
}

/** Splits the arguments of a command that takes one photo and one prompt, as `splitArguments`. Throws UsageError. */
export function singleArguments(
  given: readonly string[],
  command: string,
  reporter: Pick<Reporter, "warn">,
): Arguments {
  const { sources, prompts } = splitArguments(given, reporter);
  if (sources.length > 1 || prompts.length > 1) {
    throw new UsageError(`${command} takes one photo and one prompt`, {
      found: `${counted(sources.length, "photo")}, ${counted(prompts.length, "prompt")}`,
      ...(sources.length === 1 && { advice: quoteAdvice(sources[0], prompts) }),
    });
  }
  return { sources, prompts };
}

const quoteAdvice = (photo: string, words: readonly string[]): string =>
  `If it is one prompt, put it in quotes: ${quoted(photo)} ${shown(words.join(" "))}`;

/**
 * Throws UsageError if every prompt of several is a single word, because then one prompt was most likely written without
 * quotes. A name of the outputs with {prompt} says that they are several.
 */
export function requireQuotedPrompt({ sources, prompts }: Arguments, out: string): void {
  if (prompts.length < 2 || prompts.some((prompt) => /\s/.test(prompt.trim())) || out.includes("{prompt}")) return;
  throw new UsageError("several prompts of one word each", {
    found: few(prompts),
    advice: `${quoteAdvice(sources[0], prompts)}\nIf they are several, name the pictures after them: -o "{photo}-{prompt}.png"`,
  });
}

/** Counts the edits: one for each photo and prompt, and one for each prepared photo, which has its own prompt. */
export const taskCount = ({ sources, prompts }: Arguments): number =>
  sources.reduce((count, source) => count + (isPreparedFile(source) ? 1 : prompts.length), 0);
