import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { z } from "zod";
import { ImageError, listed, type Picture, problemsOf, UsageError } from "../core/index.ts";
import { readPngText } from "../image/index.ts";
import { encodePng } from "../image/node.ts";
import {
  checkWritable,
  endOfLinks,
  exists,
  findModel,
  readRegular,
  storageError,
  writeFileAtomic,
} from "../storage/node.ts";
import { parseJson } from "../weights/index.ts";
import { fileNamed, option } from "./options.ts";

/** No picture of baret's comes near. */
const MAX_PNG_BYTES = 1 << 30;

/** Under this keyword a PNG holds, as JSON, what made it. */
const METADATA = "baret";

export const pngFile = fileNamed(".png");

export const outOption = (value: string) =>
  option("-o, --out <file.png>", "the picture to write; of several, out-1.png, out-2.png, …", pngFile).default(value);

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

/** A relative path with the dot in front that no model's name has. */
const dotted = (path: string): string => (isAbsolute(path) || path.startsWith("..") ? path : `./${path}`);

/** A path, given from here, as it is written from `folder`; absolute ones stay. */
const seenFrom = (folder: string, path: string): string =>
  isAbsolute(path) ? path : relative(folder, path).replaceAll("\\", "/");

/** A path that was written from `folder`, given from here. Where there is nothing, it may have been given from here. */
async function foundFrom(folder: string, path: string): Promise<string> {
  const beside = isAbsolute(path) ? path : join(folder, path);
  return (await exists(beside)) ? beside : path;
}

type Places = Partial<Pick<Metadata, "model" | "photo">>;

/** Writes a picture with everything that made it, whose paths are noted as they are found from the picture's folder. */
export async function writePicture(
  path: string,
  picture: Picture,
  metadata: Places & Readonly<Record<string, unknown>>,
): Promise<void> {
  const folder = dirname(path);
  const { model, photo } = metadata;
  const modelPath = model && (await findModel(model.name).catch(() => undefined))?.place === "path";
  const placed = {
    ...metadata,
    ...(modelPath && { model: { ...model, name: dotted(seenFrom(folder, model.name)) } }),
    ...(photo && { photo: { ...photo, path: seenFrom(folder, photo.path) } }),
  };
  await writeFileAtomic(path, await encodePng(picture, { [METADATA]: JSON.stringify(placed) }));
}

const word = z.string().max(200);
/** Linux has no longer one. */
const path = z.string().max(4096);

const schema = z.looseObject({
  command: word,
  version: word,
  model: z.looseObject({ name: path, prediction: word.optional(), variant: word.optional(), sha256: word }),
  engine: z.looseObject({ device: word, threads: z.number() }),
  photo: z.looseObject({ path, sha256: word }).optional(),
  settings: z.record(z.string(), z.unknown()),
});

/** What made a picture of baret's. */
export type Metadata = z.infer<typeof schema>;

/** The settings in a PNG file, as they were written. Throws ImageError if the file has none, or others. */
function metadataIn(png: Uint8Array, where: string): Metadata {
  const advice = "It must be a PNG that baret wrote, and that no other program has changed since.";
  const problem = "does not tell what made it";
  try {
    const json = parseJson(new TextEncoder().encode(readPngText(png)[METADATA] ?? "null"), where);
    const { data, error } = schema.safeParse(json);
    if (error) throw new ImageError(`${problem}\n${listed(problemsOf(error, json, METADATA))}`, { where, advice });
    return data;
  } catch (cause) {
    if (cause instanceof ImageError && cause.details.where === where) throw cause;
    throw new ImageError(problem, { where, found: (cause as Error).message, advice, cause });
  }
}

/** What made the picture in a PNG file, its paths as they are found from here. Throws ImageError if the file does not tell. */
export async function readMetadata(path: string): Promise<Metadata> {
  const bytes = await readRegular(path, MAX_PNG_BYTES).catch((cause: unknown) => {
    throw storageError("cannot be read", path, cause);
  });
  const made = metadataIn(bytes, path);
  const folder = dirname(path);
  const { model, photo } = made;
  const name = /^\.\.?\//.test(model.name) ? dotted(await foundFrom(folder, model.name)) : model.name;
  return {
    ...made,
    model: { ...model, name },
    ...(photo && { photo: { ...photo, path: await foundFrom(folder, photo.path) } }),
  };
}
