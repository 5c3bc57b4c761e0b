import type { z } from "zod";
import { type Picture, StorageError, throwIfCancelled, type Work } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { Embeddings, Method } from "./method.ts";
import { requireFit } from "./prepared/fit.ts";
import { bytesOf, emptyTensors } from "./prepared/layout.ts";
import { isComplete, type KnownOrigin, type Prepared } from "./prepared/prepared.ts";
import { type PromptInput, prepareSettings } from "./settings.ts";

/** What a photo is prepared for, and how. */
export interface PrepareInput<P extends z.ZodObject = z.ZodObject> extends PromptInput {
  /** One of the method's presets. Options win over it. */
  readonly preset?: string;
  readonly options?: Partial<z.input<P>>;
}

export interface PrepareWork extends Work {
  /** Called after every step with all that is done so far; it is waited for. */
  onStep?: (prepared: Prepared) => Promise<void>;
  /** An unfinished value of the same photo, prompts, model and settings to go on with. */
  resume?: Prepared;
  /** The file of `resume`, for errors. */
  where?: string;
}

/** A prepared value before its tensors are made. */
type Plan = Omit<Prepared, "tensors">;

/** Throws UsageError that lists every wrong option, or says that the model cannot make the size. */
export function planOf(
  method: Method,
  model: Model,
  { width, height }: Picture,
  { target, source, preset, options = {} }: PrepareInput,
  origin: KnownOrigin,
): Plan {
  const settings = prepareSettings(method, model, { target, source, preset }, options);
  const { device, threads, versions } = model.engine;
  return {
    method: method.name,
    target,
    ...(source !== undefined && { source }),
    size: { width, height },
    settings,
    origin: { ...origin, device, threads, versions: { ...origin.versions, ...versions } },
    timesteps: model.schedule(Number(settings.steps)).timesteps,
    shapes: model.latentShapes({ width, height }),
    progress: { done: 0, total: method.prepareSteps(settings) },
  };
}

/** Bytes of the tensors that `prepare` fills. */
export const bytesOfPlan = (method: Method, { settings, shapes }: Plan): number =>
  bytesOf(method.tensors(settings, shapes));

/**
 * Prepares a picture (at the size to work at) for edits with a target prompt, or goes on with `work.resume`. Throws
 * UsageError, StorageError if `resume` belongs to other work, CancelledError, NumericError.
 */
export async function prepare(
  method: Method,
  model: Model,
  picture: Picture,
  input: PrepareInput,
  origin: KnownOrigin,
  work: PrepareWork = {},
): Promise<Prepared> {
  const { onProgress, onStep, resume, where, signal } = work;
  const plan = planOf(method, model, picture, input, origin);
  if (resume) {
    requireSame(resume, plan, where);
    requireFit(method, model, resume, where);
    if (isComplete(resume)) return resume;
  }
  const tensors = resume?.tensors ?? emptyTensors(method.tensors(plan.settings, plan.shapes));
  const prepared: Prepared = { ...(resume ?? plan), tensors, progress: { ...(resume ?? plan).progress } };
  const embeddings = await embedPrompts(method, model, prepared, signal);
  await model.programs.during(["unet"], () =>
    method.prepare({
      model,
      picture,
      embeddings,
      schedule: model.schedule(plan.timesteps.length),
      prepared,
      stepDone: async (progress) => {
        prepared.progress.done++;
        await onStep?.(prepared);
        onProgress?.(progress);
        throwIfCancelled(signal, "preparing the photo");
      },
      signal,
    }),
  );
  return prepared;
}

/** Embeds all prompts that a prepared value speaks of, in one pass. */
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

/** What a prepared value is of, and what its bits depend on besides, in words. */
function factsOf({ method, target, source, size, settings, origin, timesteps }: Plan) {
  const { model, picture, device, threads, versions } = origin;
  const values = Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, JSON.stringify(value)]);
  const of: Record<string, string> = {
    method,
    "the model": model,
    "the photo": picture,
    target,
    ...(source !== undefined && { source }),
    size: `${size.width}x${size.height}`,
    timesteps: JSON.stringify(timesteps),
    ...Object.fromEntries(values),
  };
  const releases = Object.entries(versions).map(([name, version]) => [`version of ${name}`, version]);
  const machine: Record<string, string> = { device, threads: `${threads}`, ...Object.fromEntries(releases) };
  return { of, machine };
}

/** Everything that the bits of a prepared value depend on, as text: values of equal key have equal content. */
export const keyOf = (plan: Plan): string => JSON.stringify(factsOf(plan));

/**
 * Throws StorageError that lists everything in which a value that is there differs from the one that is wanted. Only an
 * unfinished one must also come from the same machine, so that the rest of it fits.
 */
function requireSame(found: Prepared, wanted: Plan, where?: string): void {
  const facts = (plan: Plan): Record<string, string> => {
    const { of, machine } = factsOf(plan);
    return isComplete(found) ? of : { ...of, ...machine };
  };
  const [have, want] = [facts(found), facts(wanted)];
  const different = [...new Set([...Object.keys(want), ...Object.keys(have)])].filter((key) => have[key] !== want[key]);
  if (different.length === 0) return;
  throw new StorageError(`the ${isComplete(found) ? "" : "unfinished "}prepared photo that is there is another one`, {
    where,
    found: different.map((key) => `${key} ${have[key] ?? "not set"}`).join("; "),
    expected: different.map((key) => `${key} ${want[key] ?? "not set"}`).join("; "),
    advice: "Give the same settings, on the same machine while it is unfinished, or write to another file.",
  });
}
