import type { z } from "zod";
import { type Picture, shown, type Tensor, tensor, UsageError } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { resizeMap } from "../image/index.ts";
import type { AttentionSite } from "../models/index.ts";
import { conditional, type Hooks, type LockStepWork } from "./lockstep/index.ts";
import type { Method } from "./method.ts";
import { requirePreparedOf } from "./prepared/fit.ts";
import type { Prepared } from "./prepared/prepared.ts";
import { resolvedSettings } from "./resolve.ts";
import { jobOf, runSamplings } from "./samplings.ts";

/** Selects the attention to average. R: names of the method's pictures. */
export interface AttentionOptions<R extends string = string> {
  /** Name of the picture whose sampling is observed. Default: the one that shows the photo, else the edit. */
  readonly of?: R;
  /** Words of the prompt. An entry may be several words in a row. Default: every word of the prompt. */
  readonly words?: readonly string[];
  /** Largest number of tokens along a side of an attention site. Finer sites are ignored. Default 32. */
  readonly resolution?: number;
}

/** A place in a picture, as shares of its width and height from the top left corner. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** Attention of the places of a picture to one word. */
export interface WordMap {
  readonly word: string;
  /** Positions of the word's tokens in the prompt. */
  readonly tokens: readonly number[];
  /** For each place, the share of its attention to the word, 0..1, [height, width]. */
  readonly map: Tensor;
  /** Average and highest value of the map. */
  readonly mean: number;
  readonly max: number;
  /** Place of the highest value. */
  readonly peak: Place;
  /** Centre of mass of the values above the average. */
  readonly centre: Place;
}

/** Cross-attention of one sampling process, averaged over steps, heads and sites. */
export interface AttentionMaps<R extends string = string> {
  /** Name of the picture whose sampling was observed. */
  readonly of: R;
  /** The picture itself. */
  readonly picture: Picture;
  /** The prompt of that sampling. */
  readonly prompt: string;
  /** Paths of the attention sites. */
  readonly sites: readonly string[];
  /** Number of sampling steps in the average. */
  readonly steps: number;
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
  readonly words: readonly WordMap[];
}

/** Default limit: maps up to this size separate the objects of a picture (Prompt-to-Prompt shows 16x16). */
const defaultResolution = 32;

/** Returns the cross-attention sites of at most `resolution` tokens a side. Throws UsageError if there are none. */
function sitesUpTo(resolution: number, sites: readonly AttentionSite[]): AttentionSite[] {
  const cross = sites.filter(({ kind }) => kind === "cross");
  const chosen = cross.filter(({ height, width }) => Math.max(height, width) <= resolution);
  if (chosen.length > 0) return chosen;
  const sizes = [...new Set(cross.map(({ height, width }) => `${width}x${height}`))];
  throw new UsageError("selects no attention site", {
    where: "resolution",
    found: `${resolution}`,
    expected: `at least the smallest size of the model's sites: ${sizes.join(", ")}`,
  });
}

/** Sums the attention of each place of one site to each word. */
class SiteSum {
  readonly site: AttentionSite;
  /** For each word, [height, width]. */
  readonly sums: readonly Tensor[];
  private readonly words: readonly (readonly number[])[];
  private readonly weight: number;

  /** steps: number of calls of `add`. */
  constructor(site: AttentionSite, words: readonly (readonly number[])[], steps: number) {
    this.site = site;
    this.words = words;
    this.sums = words.map(() => tensor([site.height, site.width]));
    this.weight = 1 / (steps * site.heads);
  }

  /** maps: [heads, L, M]. */
  add({ shape: [heads, places, length], data }: Tensor): void {
    this.words.forEach((tokens, k) => {
      const sum = this.sums[k].data;
      for (let head = 0; head < heads; head++) {
        for (let place = 0; place < places; place++) {
          const from = (head * places + place) * length;
          for (const token of tokens) sum[place] += this.weight * data[from + token];
        }
      }
    });
  }
}

/** Returns the average of maps of different sizes, at the largest of the sizes. */
function average(maps: readonly Tensor[]): Tensor {
  const height = Math.max(...maps.map(({ shape }) => shape[0]));
  const width = Math.max(...maps.map(({ shape }) => shape[1]));
  const mean = tensor([height, width]);
  for (const map of maps) {
    const { data } = resizeMap(map, height, width);
    for (let k = 0; k < data.length; k++) mean.data[k] += data[k] / maps.length;
  }
  return mean;
}

function figuresOf({ shape: [height, width], data }: Tensor): Pick<WordMap, "mean" | "max" | "peak" | "centre"> {
  const placeOf = (k: number): Place => ({
    x: ((k % width) + 0.5) / width,
    y: (Math.floor(k / width) + 0.5) / height,
  });
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  const max = data.reduce((most, value) => Math.max(most, value), 0);
  let [mass, x, y] = [0, 0, 0];
  data.forEach((value, k) => {
    const above = Math.max(0, value - mean);
    const place = placeOf(k);
    mass += above;
    x += above * place.x;
    y += above * place.y;
  });
  const centre = mass > 0 ? { x: x / mass, y: y / mass } : { x: 0.5, y: 0.5 };
  return { mean, max, peak: placeOf(data.indexOf(max)), centre };
}

/** Returns the name of the picture to observe. Throws UsageError if the method has no such picture. */
export function observedPicture({ name, pictures, photoPicture }: Method, of = photoPicture ?? "edit"): string {
  if (Object.hasOwn(pictures, of)) return of;
  throw new UsageError(`no such picture of ${name}`, {
    where: "of",
    found: JSON.stringify(of),
    expected: Object.keys(pictures).join(", "),
  });
}

/** Throws UsageError if the method has no such picture, the model no such sites or the prompts no such words. */
export function requireAttention(
  method: Method,
  model: Model,
  { target, source, size }: Pick<Prepared, "target" | "source" | "size">,
  { of, words = [], resolution = defaultResolution }: AttentionOptions,
): void {
  observedPicture(method, of);
  sitesUpTo(resolution, model.attentionSites(size));
  const sourceWords = new Set(source === undefined ? [] : model.wordsOf(source));
  for (const word of words) {
    // Exact once the method has said which prompt its picture reads.
    const isInSource = sourceWords.size > 0 && model.wordsOf(word).every((one) => sourceWords.has(one));
    if (!isInSource) model.tokensOf(target, word);
  }
}

/**
 * Averages the cross-attention of one picture of an edit over steps, heads and sites: for each word, the share of each
 * place's attention to it in the conditional prediction. Runs only the part of the edit that this picture needs. options:
 * edit options. Throws UsageError if the prompt has no such word, and as `edit`.
 */
export async function attentionMaps<R extends string>(
  method: Method,
  model: Model,
  prepared: Prepared,
  { of, words, resolution = defaultResolution }: AttentionOptions<R> = {},
  options: Partial<z.input<z.ZodObject>> = {},
  work: LockStepWork = {},
): Promise<AttentionMaps<R>> {
  requirePreparedOf(method, model, prepared, {});
  const picture = observedPicture(method, of);
  const sites = sitesUpTo(resolution, model.attentionSites(prepared.size));
  const settings = resolvedSettings(method, model, prepared, options);
  const sampling = method.edit(await jobOf(method, model, prepared, work.signal), settings, "");
  const prompt = sampling.prompts?.[picture] ?? prepared.target;
  const wanted = words ?? model.wordsOf(prompt);
  if (wanted.length === 0) {
    throw new UsageError("the prompt has no words", {
      where: `${method.name}, ${picture}`,
      found: shown(prompt),
    });
  }
  const tokens = wanted.map((word) => model.tokensOf(prompt, word));
  const process = sampling.pictures[picture];
  const { startStep = 0 } = sampling.processes.find(({ name }) => name === process)!;
  const steps = prepared.timesteps.length - startStep;
  const sums = sites.map((site) => new SiteSum(site, tokens, steps));

  const { observe = [], afterStep } = sampling.hooks ?? {};
  const hooks: Hooks = {
    ...(sampling.hooks ?? { latents: [] }),
    observe: [...observe, ...sites.map(({ path }) => ({ process, term: conditional, site: path }))],
    afterStep: async (i, { latents, maps }) => {
      for (const [k, map] of maps.slice(observe.length).entries()) if (map) sums[k].add(map);
      return afterStep?.(i, { latents, maps: maps.slice(0, observe.length) });
    },
  };
  const observed = { ...sampling, hooks, share: sampling.share ?? afterStep === undefined };
  const { latents, rows } = await runSamplings(model, prepared, [observed], [process], work);
  const [decoded] = await model.decode(latents.get(process)!, work.signal);
  return {
    of: picture as R,
    picture: decoded,
    prompt,
    sites: sites.map(({ path }) => path),
    steps,
    rows,
    words: wanted.map((word, k) => {
      const map = average(sums.map((sum) => sum.sums[k]));
      return { word, tokens: tokens[k], map, ...figuresOf(map) };
    }),
  };
}
