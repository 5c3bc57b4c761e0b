import { basename, extname, resolve } from "node:path";
import { listed, UsageError } from "../core/index.ts";
import { formatOfName } from "../image/index.ts";
import { checkWritable, endOfLinks } from "../storage/node/index.ts";
import { fileNamed, integer, type OptionType, option } from "./options.ts";

export const pngFile = fileNamed(".png");

/** Name of a picture to write. */
const pictureFile: OptionType<string> = {
  expected: "a name that ends in .png, .jpg or .webp",
  read: (text) => (formatOfName(text) && !/^\.\w+$/.test(text) ? text : undefined),
};

/** Returns the option that names the pictures to write. areMany: a command may write several, which are numbered. */
export const outOption = (value: string, areMany: boolean) =>
  option(
    "-o, --out <file>",
    `PNG, JPEG or WebP to write${areMany ? "; several are numbered (out-1.png, out-2.png, …), or named by {photo}, {prompt} and {index}" : ""}`,
    pictureFile,
  ).default(value);

export const qualityOption = () => option("--quality <n>", "quality of a JPEG or WebP, default 92", integer(1, 100));

/** Returns "out.png" for a single file, "out-3.png" for the third of several. */
export const numbered = (out: string, index: number, count: number): string =>
  count === 1 ? out : suffixed(out, `${index + 1}`);

/** Returns "out-transition.png" for "out.png" and "transition". */
export const suffixed = (out: string, suffix: string): string => out.replace(/(\.[^./\\]+)+$/, `-${suffix}$&`);

/** Returns a prompt as part of a file name: at most 60 letters, digits and dashes. */
const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "-")
    .replaceAll(/^-|-$/g, "")
    .slice(0, 60) || "edit";

/**
 * Returns the file of edit `index` of `count`: the pattern with {photo}, {prompt} and {index} filled in, or numbered. Throws
 * UsageError if there is another name in braces.
 */
export function outputName(
  pattern: string,
  { source, prompt }: { source: string; prompt: string },
  index: number,
  count: number,
): string {
  const unknown = pattern.match(/\{\w+\}/g)?.find((name) => !/^\{(photo|prompt|index)\}$/.test(name));
  if (unknown) {
    throw new UsageError("no such part of a name", {
      where: "--out",
      found: unknown,
      expected: "{photo}, {prompt} or {index}",
    });
  }
  if (!/\{(photo|prompt|index)\}/.test(pattern)) return numbered(pattern, index, count);
  const parts: Record<string, string> = {
    photo: basename(source, extname(source)),
    prompt: slug(prompt),
    index: `${index + 1}`,
  };
  return pattern.replaceAll(/\{(photo|prompt|index)\}/g, (_, name: string) => parts[name]);
}

/** A file that a command will write, and the option that names it. */
export interface Output {
  readonly option: string;
  readonly path: string;
}

/** Returns the path of a file, existing or not, with all links followed. */
const placeOf = (path: string): Promise<string> => endOfLinks(path).catch(() => resolve(path));

/**
 * Throws UsageError that lists all outputs that would replace an input, each other or one of the files `kept`, StorageError if
 * an output cannot be written.
 */
export async function checkOutputs(
  outputs: readonly Output[],
  inputs: readonly string[],
  kept: readonly string[] = [],
): Promise<void> {
  const taken = new Map<string, string>();
  for (const path of kept) taken.set(await placeOf(path), path);
  for (const path of inputs) taken.set(await placeOf(path), `${path}, which is read`);
  const problems: string[] = [];
  for (const { option, path } of outputs) {
    const place = await placeOf(path);
    const other = taken.get(place);
    if (other) problems.push(`${option}: ${path} would replace ${other}`);
    taken.set(place, other ?? `what ${option} writes`);
  }
  if (problems.length > 0) {
    throw new UsageError(`an output needs a file of its own\n${listed(problems)}`, { advice: "Give it another name." });
  }
  for (const { path } of outputs) await checkWritable(path);
}
