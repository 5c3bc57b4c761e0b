import { UsageError } from "../../core/index.ts";
import type { Model, Size } from "../../diffusion/index.ts";
import { type Inversion, requireInversionOf } from "../../inversion/index.ts";
import { readInversion } from "../../inversion/node.ts";
import { type Fit, type Photo, readPhotos } from "./photo.ts";

const inversionFile = /\.safetensors$/i;
/** Also what baret does not read, so that it is refused as a picture and not heard as a sentence. */
const pictureFile = /\.(png|jpe?g|jfif|webp|gif|bmp|tiff?|avif|hei[cf]|svg|pdf)$/i;

export const isInversionFile = (path: string): boolean => inversionFile.test(path);

export interface Arguments {
  /** Photos and inversion files. */
  readonly sources: readonly string[];
  readonly sentences: readonly string[];
}

/**
 * Photos come first, then sentences. The first argument is a photo, however it is called, unless `repeated` stands in for
 * it; further ones are photos where their names end as those of pictures or inversion files do. What the arguments leave
 * out is taken from `repeated`. Throws UsageError.
 */
export function splitArguments(given: readonly string[], repeated?: Arguments): Arguments {
  const isSource = (text: string, k: number): boolean =>
    (k === 0 && repeated === undefined) || inversionFile.test(text) || pictureFile.test(text);
  const end = given.findIndex((text, k) => !isSource(text, k));
  const [files, said] = end < 0 ? [given, []] : [given.slice(0, end), given.slice(end)];
  const late = said.filter((text, k) => isSource(text, k + 1));
  if (late.length > 0) throw new UsageError("photos come before sentences", { found: late.join(", ") });
  const sources = files.length > 0 ? files : (repeated?.sources ?? []);
  const sentences = said.length > 0 ? said : (repeated?.sentences ?? []);
  if (sources.length === 0) throw new UsageError("a photo is missing");
  const blank = sentences.some((sentence) => sentence.trim() === "");
  if (blank || (sentences.length === 0 && !sources.every(isInversionFile))) {
    throw new UsageError(`a sentence is ${blank ? "empty" : "missing"}`, {
      expected: "what the edited photo shows, in quotes",
    });
  }
  return { sources, sentences };
}

/** How many edits that makes: every photo with every sentence; an inversion file has its own. */
export const taskCount = ({ sources, sentences }: Arguments): number =>
  sources.reduce((count, source) => count + (isInversionFile(source) ? 1 : sentences.length), 0);

/** One edit that is to be made. */
export interface Task {
  readonly source: string;
  readonly sentence: string;
  readonly photo?: Photo;
  /** Absent where the photo is still to be inverted. */
  readonly inversion?: Inversion;
}

/**
 * Every source with every sentence; an inversion file has its own. Reads and checks all of them, so that what is wrong
 * shows before any work. modelSha256: an inversion file must be of this model.
 */
export async function readTasks(
  { sources, sentences }: Arguments,
  { size, fit, model, modelSha256 }: { size: Size; fit: Fit; model: Model; modelSha256: string },
): Promise<Task[]> {
  const photos = await readPhotos(
    sources.filter((path) => !isInversionFile(path)),
    size,
    fit,
    model,
  );
  const tasks: Task[] = [];
  for (const source of sources) {
    if (isInversionFile(source)) {
      const inversion = await readInversion(source);
      for (const target of sentences.length > 0 ? sentences : [undefined]) {
        requireInversionOf(model, inversion, { model: modelSha256, target }, source);
      }
      tasks.push({ source, sentence: inversion.target, inversion });
    } else {
      const photo = photos.find(({ path }) => path === source);
      tasks.push(...sentences.map((sentence) => ({ source, sentence, photo })));
    }
  }
  return tasks;
}
