import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../core/index.ts";

const preparedFile = /\.safetensors$/i;
/** Also names of pictures that baret does not read, so that they are refused as pictures and not taken for prompts. */
const pictureFile = /\.(png|jpe?g|jfif|webp|gif|bmp|tiff?|avif|hei[cf]|svg|pdf)$/i;

export const isPreparedFile = (path: string): boolean => preparedFile.test(path);

export interface Arguments {
  /** Photos and files of prepared photos. */
  readonly sources: readonly string[];
  readonly prompts: readonly string[];
}

/** What lies at a path. Nothing does if the text cannot be a path, as a long prompt cannot. */
function statOf(text: string): Stats | undefined {
  try {
    return statSync(text);
  } catch {
    return undefined;
  }
}

const isFolder = (path: string): boolean => statOf(path)?.isDirectory() ?? false;

/** The pictures in a folder, by name. */
function picturesIn(folder: string): string[] {
  const found = readdirSync(folder)
    .filter((name) => pictureFile.test(name) && !name.startsWith("."))
    .sort();
  if (found.length === 0) throw new UsageError("a folder without pictures", { where: folder });
  return found.map((name) => join(folder, name));
}

/** A prompt may end like a file's name ("logo of acme.png"); a file's name seldom has spaces, unless the file exists. */
const looksLikeFile = (text: string): boolean =>
  (preparedFile.test(text) || pictureFile.test(text)) && (!/\s/.test(text) || statOf(text) !== undefined);

/**
 * Photos come first, then prompts. The first argument is a photo or a folder of photos, whatever its name, unless
 * `repeated` stands in for it; further ones are photos if their names end like those of pictures or prepared photos. What
 * the arguments leave out is taken from `repeated`. Throws UsageError.
 */
export function splitArguments(given: readonly string[], repeated?: Arguments): Arguments {
  const isSource = (text: string, k: number): boolean =>
    (k === 0 && repeated === undefined) || looksLikeFile(text) || isFolder(text);
  const end = given.findIndex((text, k) => !isSource(text, k));
  const [files, rest] = end < 0 ? [given, []] : [given.slice(0, end), given.slice(end)];
  const late = rest.filter((text, k) => isSource(text, k + 1));
  if (late.length > 0) {
    throw new UsageError("photos come before prompts", {
      found: `${late.join(", ")} after "${rest[0]}"`,
      advice: "Write the photos first, then what they should show, in quotes.",
    });
  }
  const sources = (files.length > 0 ? files : (repeated?.sources ?? [])).flatMap((path) =>
    isFolder(path) ? picturesIn(path) : [path],
  );
  const prompts = rest.length > 0 ? rest : (repeated?.prompts ?? []);
  if (sources.length === 0) throw new UsageError("a photo is missing");
  const blank = prompts.some((prompt) => prompt.trim() === "");
  if (blank || (prompts.length === 0 && !sources.every(isPreparedFile))) {
    throw new UsageError(`a prompt is ${blank ? "empty" : "missing"}`, {
      expected: "what the edited photo shows, in quotes",
    });
  }
  return { sources, prompts };
}

/** Number of edits: every photo with every prompt; a prepared photo has its own. */
export const taskCount = ({ sources, prompts }: Arguments): number =>
  sources.reduce((count, source) => count + (isPreparedFile(source) ? 1 : prompts.length), 0);
