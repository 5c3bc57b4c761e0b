import type { z } from "zod";
import { type Picture, StorageError, throwIfCancelled, type Work } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import { resize } from "../image/index.ts";
import type { Optimiser, Trajectories } from "../inversion/index.ts";
import type { Embeddings, Method } from "./method.ts";
import { requireFit } from "./prepared/fit.ts";
import type { Header } from "./prepared/header.ts";
import { bytesOf, emptyTensors } from "./prepared/layout.ts";
import { isComplete, type KnownOrigin, type Prepared } from "./prepared/prepared.ts";
import { type PromptInput, prepareSettings } from "./settings.ts";

/** Prompts and options of preparing a photo. */
export interface PrepareInput<P extends z.ZodObject = z.ZodObject> extends PromptInput {
  /** Name of one of the method's presets. Options take precedence over it. */
  readonly preset?: string;
  readonly options?: Partial<z.input<P>>;
}

export interface PrepareWork extends Work {
  /** Called and awaited after every step with the value so far. */
  onStep?: (prepared: Prepared) => Promise<void>;
  /** A value of the same photo, prompts, model and settings, finished or not, to resume from. */
  resume?: Prepared;
  /** Keeps DDIM inversions, which methods share. Default: each preparation inverts the photo itself. */
  trajectories?: Trajectories;
  /** Takes Adam's place where a method tunes an embedding at each step. Settings do not record it, so keep no such value. */
  optimiser?: Optimiser;
  /** Returns the photo at a larger size of the same shape. Default: enlarges the picture. */
  photoAt?: (size: Size) => Picture;
  /** File of `resume`, for error messages. */
  where?: string;
}

/** Plan of preparing a photo: prompts, settings, sizes, hashes. */
export type PreparePlan = Header;

/**
 * Plans the preparation of a picture (at the size to work at). Leaves out a caption that the method does not use. Throws UsageError that lists every wrong option, or if the
 * model cannot make the size.
 */
export function planPreparation(
  method: Method,
  model: Model,
  { width, height }: Picture,
  { target, source, preset, options = {} }: PrepareInput,
  origin: KnownOrigin,
): PreparePlan {
  const settings = prepareSettings(method, model, { target, source, preset }, options);
  const { device, threads, versions } = model.engine;
  return {
    method: method.name,
    target,
    ...(source !== undefined && method.needs.caption !== "unused" && { source }),
    size: { width, height },
    settings,
    origin: { ...origin, device, threads, versions: { ...origin.versions, ...versions } },
    timesteps: model.schedule(Number(settings.steps)).timesteps,
    shapes: model.latentShapes({ width, height }),
    progress: { done: 0, total: method.prepareSteps(settings) },
  };
}

/** Returns the number of bytes of the tensors that `prepare` fills. */
export const tensorBytes = (method: Method, { settings, shapes }: PreparePlan): number =>
  bytesOf(method.tensors(settings, shapes));

/**
 * Prepares a picture as planned, or resumes from `work.resume`, which may have another target prompt if the method serves
 * every target. Throws StorageError if `resume` has another photo, prompt, model or settings, CancelledError, NumericError.
 */
export async function prepare(
  method: Method,
  model: Model,
  picture: Picture,
  plan: PreparePlan,
  work: PrepareWork = {},
): Promise<Prepared> {
  const { onProgress, onStep, resume, trajectories, optimiser, photoAt, where, signal } = work;
  if (resume) {
    requireSame(method, resume, plan, where);
    requireFit(method, model, resume, where);
    if (isComplete(resume)) return withTarget(resume, plan.target);
  }
  const tensors = resume?.tensors ?? emptyTensors(method.tensors(plan.settings, plan.shapes));
  const begun = { ...(resume ?? plan), target: plan.target };
  const prepared: Prepared = { ...begun, tensors, progress: { ...begun.progress } };
  const embeddings = await embedPrompts(method, model, prepared, signal);
  await model.programs.during(["unet"], () =>
    method.prepare({
      model,
      picture,
      larger: largerPhoto(method, picture, prepared.settings, photoAt),
      embeddings,
      schedule: model.schedule(plan.timesteps.length),
      prepared,
      trajectories,
      optimiser,
      stepDone: async (progress, steps = 1) => {
        prepared.progress.done += steps;
        await onStep?.(prepared);
        onProgress?.(progress);
        throwIfCancelled(signal, "preparing the photo");
      },
      report: (progress) => onProgress?.(progress),
      signal,
    }),
  );
  return prepared;
}

/** Returns the larger photo that a method's `prepare` reads beside the picture, or undefined if it reads none. */
export function largerPhoto(
  method: Method,
  picture: Picture,
  settings: Readonly<Record<string, unknown>>,
  photoAt: PrepareWork["photoAt"] = ({ width, height }) => resize(picture, width, height, "bicubic"),
): Picture | undefined {
  const scale = method.photoScale?.(settings);
  if (scale === undefined) return undefined;
  return scale === 1 ? picture : photoAt({ width: scale * picture.width, height: scale * picture.height });
}

/** Embeds all prompts of a prepared value in one pass. */
export async function embedPrompts(
  method: Method,
  model: Model,
  { target, source, settings }: Pick<Prepared, "target" | "source" | "settings">,
  signal?: AbortSignal,
): Promise<Embeddings> {
  const prompts: Record<string, string> = {
    empty: "",
    target,
    ...(source !== undefined && { source }),
    ...method.prompts?.(settings, target),
  };
  const embedded = await model.embed(Object.values(prompts), signal);
  const named = Object.keys(prompts).map((name, k) => [name, embedded[k].tensor]);
  return Object.fromEntries(named) as unknown as Embeddings;
}

/** Returns the value with a target prompt: itself if it has it, else a copy that shares its tensors. */
export const withTarget = (prepared: Prepared, target: string): Prepared =>
  prepared.target === target ? prepared : { ...prepared, target };

/** Lists, as text by name, the identity of a prepared value, and the machine and versions that its bits also depend on. */
function factsOf({ servesEveryTarget }: Method, { method, target, source, size, settings, origin, timesteps }: Header) {
  const { model, picture, larger, device, threads, versions } = origin;
  const values = Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, JSON.stringify(value)]);
  const identity: Record<string, string> = {
    method,
    "the model": model,
    "the photo": picture,
    ...(larger !== undefined && { "the larger photo": larger }),
    ...(!servesEveryTarget && { target }),
    ...(source !== undefined && { source }),
    size: `${size.width}x${size.height}`,
    timesteps: JSON.stringify(timesteps),
    ...Object.fromEntries(values),
  };
  const releases = Object.entries(versions).map(([name, version]) => [`version of ${name}`, version]);
  const machine: Record<string, string> = { device, threads: `${threads}`, ...Object.fromEntries(releases) };
  return { identity, machine };
}

/** Returns, as text, everything that the bits of a prepared value depend on: values of equal keys are equal. */
export const keyOf = (method: Method, header: Header): string => JSON.stringify(factsOf(method, header));

/**
 * Throws StorageError that lists every difference between a stored value and the wanted one. An unfinished value must also
 * come from the same machine and versions, so that its remaining steps fit.
 */
function requireSame(method: Method, found: Prepared, wanted: Header, where?: string): void {
  const facts = (header: Header): Record<string, string> => {
    const { identity, machine } = factsOf(method, header);
    return isComplete(found) ? identity : { ...identity, ...machine };
  };
  const [have, want] = [facts(found), facts(wanted)];
  const different = [...new Set([...Object.keys(want), ...Object.keys(have)])].filter((key) => have[key] !== want[key]);
  if (different.length === 0) return;
  throw new StorageError(`holds ${isComplete(found) ? "another" : "another, unfinished"} prepared photo`, {
    where: where ?? "resume",
    found: different.map((key) => `${key} ${have[key] ?? "not set"}`).join("; "),
    expected: different.map((key) => `${key} ${want[key] ?? "not set"}`).join("; "),
    advice: isComplete(found)
      ? "Give the same settings, or write to another file."
      : "Give the same settings on the same machine, or write to another file.",
  });
}
