import { resolve } from "node:path";
import { listed, UsageError } from "../core/index.ts";
import { formatOfName } from "../image/index.ts";
import { checkWritable, endOfLinks } from "../storage/node/index.ts";
import { fileNamed, integer, type Kind, option } from "./options.ts";

export const pngFile = fileNamed(".png");

/** A picture to be written, by the ending of its name. */
const pictureFile: Kind<string> = {
  expected: "a name that ends in .png, .jpg or .webp",
  read: (text) => (formatOfName(text) && !/^\.\w+$/.test(text) ? text : undefined),
};

export const outOption = (value: string) =>
  option(
    "-o, --out <file>",
    "the PNG, JPEG or WebP to write; of several, out-1.png, out-2.png, …",
    pictureFile,
  ).default(value);

export const qualityOption = () => option("--quality <n>", "quality of a JPEG or WebP, default 92", integer(1, 100));

/** "out.png" for the only one, "out-3.png" for the third of several. */
export const numbered = (out: string, index: number, count: number): string =>
  count === 1 ? out : suffixed(out, `${index + 1}`);

/** "out.png" with something before its ending: "out-transition.png". */
export const suffixed = (out: string, suffix: string): string => out.replace(/(\.[^./\\]+)+$/, `-${suffix}$&`);

/** A file that a command is going to write, and the option that names it. */
export interface Output {
  readonly option: string;
  readonly path: string;
}

/** Where a file is, or would be, once all links are followed. */
const placeOf = (path: string): Promise<string> => endOfLinks(path).catch(() => resolve(path));

/**
 * Refuses, before any work, outputs that would replace an input or each other, all of them at once, and outputs that
 * cannot be written. Throws UsageError, StorageError.
 */
export async function checkOutputs(outputs: readonly Output[], inputs: readonly string[]): Promise<void> {
  const taken = new Map<string, string>();
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
