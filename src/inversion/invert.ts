import {
  type Picture,
  row,
  StorageError,
  sizeOf,
  type Tensor,
  tensor,
  throwIfCancelled,
  type Work,
} from "../core/index.ts";
import { type Model, openPredictor } from "../diffusion/index.ts";
import { Adam } from "./adam.ts";
import { shapesFor, shapesOf } from "./arrays.ts";
import { ddimInversion } from "./ddim.ts";
import { requireFit } from "./fit.ts";
import { type Inversion, isComplete, iterationsOf, type KnownOrigin } from "./inversion.ts";
import { type InversionOptions, type InversionSettings, inversionSettings } from "./options.ts";
import { openReconstructionLoss } from "./reconstructionLoss.ts";
import { sampleStep, tuneStep } from "./targetText.ts";

export interface InvertWork extends Work {
  /** Called after every step with what there is so far; it is waited for. */
  onStep?: (inversion: Inversion) => Promise<void>;
  /** An unfinished inversion of the same photo, sentence, model and settings to go on with. */
  resume?: Inversion;
  /** The file of `resume`, for errors. */
  where?: string;
}

/**
 * Inverts a picture towards a target sentence: DDIM inversion, then target-text inversion (METHODS §2.1). picture: at the
 * size to work at. Throws UsageError, CancelledError, NumericError.
 */
export async function invert(
  model: Model,
  picture: Picture,
  { target, ...options }: InversionOptions & { target: string },
  origin: KnownOrigin,
  work: InvertWork = {},
): Promise<Inversion> {
  const { onProgress, onStep, resume, where, signal } = work;
  const settings = inversionSettings(target, options, model.editing);
  const schedule = model.schedule(settings.steps);
  const fresh = emptyInversion(model, planOf(model, picture, target, settings, origin));
  if (resume) {
    requireSame(resume, fresh, where);
    requireFit(model, resume, where);
  }
  if (resume && isComplete(resume)) return resume;
  const done = { ...(resume?.done ?? fresh.done) };
  const inversion: Inversion = { ...(resume ?? fresh), done };
  const { inverted, embeddings, reconstruction, trace, moments } = inversion;

  const [empty, said, prompt] = (await model.embed(["", target, settings.inversionPrompt], signal)).map(
    (e) => e.tensor,
  );
  if (done.inverted === 0) row(inverted, settings.steps).data.set((await model.encode(picture, signal)).data);
  await model.programs.finished("text", "vae");
  const predictor = await openPredictor(model, picture, undefined, signal);

  await ddimInversion(
    predictor,
    schedule,
    inverted,
    { context: prompt, empty, guidance: settings.inversionGuidance },
    {
      from: done.inverted,
      signal,
      onProgress,
      onStep: async (steps) => {
        done.inverted = steps;
        await onStep?.(inversion);
      },
    },
  );

  const loss = settings.iterations > 0 ? await openReconstructionLoss(model, picture, signal) : undefined;
  if (done.tuned === 0) row(reconstruction, 0).data.set(row(inverted, 0).data);
  const adam = new Adam(
    moments,
    iterationsOf(inversion).reduce((sum, n) => sum + n, 0),
  );
  const { carry, guidance } = settings;
  for (let i = done.tuned; i < settings.steps; i++) {
    throwIfCancelled(signal, "the inversion");
    if (settings.resetAdam) adam.reset();
    const reached = row(reconstruction, i);
    const step = await tuneStep(
      { predictor, loss },
      schedule,
      i,
      {
        latent: carry === "reconstruction" ? reached : row(inverted, i),
        wanted: row(inverted, i + 1),
        start: settings.warmStart && i > 0 ? row(embeddings, i - 1) : said,
        target: said,
        empty,
        adam,
      },
      settings,
      signal,
    );
    row(embeddings, i).data.set(step.embedding.data);
    // Tuned from the photo's own latents, C is not what led here: z̄ is what its replay gives.
    const replay = { latent: reached, context: step.embedding, empty, guidance };
    const latent =
      carry === "reconstruction" ? step.latent : (await sampleStep(predictor, schedule, i, replay, signal)).next;
    row(reconstruction, i + 1).data.set(latent.data);
    row(trace.loss, i).data.set(step.losses);
    row(trace.gradientRms, i).data.set(step.gradientRms);
    done.tuned = i + 1;
    await onStep?.(inversion);
    onProgress?.({ phase: "tune", done: i + 1, total: settings.steps, loss: step.losses[step.losses.length - 1] });
  }
  await model.programs.finished("unet");
  return inversion;
}

/** What is known of an inversion before it is begun. */
type Plan = Pick<Inversion, "target" | "size" | "settings" | "origin" | "timesteps">;

function planOf(
  model: Model,
  { width, height }: Picture,
  target: string,
  settings: InversionSettings,
  origin: KnownOrigin,
): Plan {
  const { device, threads, versions } = model.engine;
  return {
    target,
    size: { width, height },
    settings,
    origin: { ...origin, device, threads, versions: { ...origin.versions, ...versions } },
    timesteps: model.schedule(settings.steps).timesteps,
  };
}

function emptyInversion(model: Model, plan: Plan): Inversion {
  const shapes = shapesOf(plan.settings, shapesFor(model, plan.size));
  const unknown = (shape: readonly number[]): Tensor => {
    const made = tensor(shape);
    made.data.fill(Number.NaN);
    return made;
  };
  return {
    ...plan,
    inverted: tensor(shapes.inverted),
    embeddings: tensor(shapes.embeddings),
    reconstruction: tensor(shapes.reconstruction),
    trace: { loss: unknown(shapes.loss), gradientRms: unknown(shapes.gradient_rms) },
    moments: tensor(shapes.moments),
    done: { inverted: 0, tuned: 0 },
  };
}

/** Bytes of the arrays that an inversion fills. Throws UsageError for settings or a size that the model cannot have. */
export function bytesOfInversion(
  model: Model,
  picture: Picture,
  { target, ...options }: InversionOptions & { target: string },
): number {
  const shapes = shapesOf(inversionSettings(target, options, model.editing), shapesFor(model, picture));
  return Object.values(shapes).reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
}

/** What an inversion is of, and what its bits depend on besides. */
function factsOf({ target, size, settings, origin, timesteps }: Plan) {
  const { model, picture, device, threads, versions } = origin;
  const values = Object.entries(settings).map(([name, value]) => [name, JSON.stringify(value)]);
  const of: Record<string, string> = {
    "the model": model,
    "the photo": picture,
    sentence: target,
    size: `${size.width}x${size.height}`,
    timesteps: JSON.stringify(timesteps),
    ...Object.fromEntries(values),
  };
  const releases = Object.entries(versions).map(([name, version]) => [`version of ${name}`, version]);
  return { of, machine: { device, threads: `${threads}`, ...Object.fromEntries(releases) } };
}

/** Everything that an inversion's bits depend on, as text: inversions with one key have one content. */
export const inversionKey = (
  model: Model,
  picture: Picture,
  { target, ...options }: InversionOptions & { target: string },
  origin: KnownOrigin,
): string =>
  JSON.stringify(factsOf(planOf(model, picture, target, inversionSettings(target, options, model.editing), origin)));

/**
 * Throws StorageError that lists everything in which an inversion that is there differs from the one that is wanted. Only
 * an unfinished one must also come from the same machine, for the rest of it to fit.
 */
function requireSame(found: Inversion, wanted: Inversion, where?: string): void {
  const facts = (inversion: Inversion): Record<string, string> => {
    const { of, machine } = factsOf(inversion);
    return isComplete(found) ? of : { ...of, ...machine };
  };
  const [have, want] = [facts(found), facts(wanted)];
  const different = Object.keys(want).filter((key) => have[key] !== want[key]);
  if (different.length === 0) return;
  throw new StorageError(`the ${isComplete(found) ? "" : "unfinished "}inversion that is there is another one`, {
    where,
    found: different.map((key) => `${key} ${have[key]}`).join("; "),
    expected: different.map((key) => `${key} ${want[key]}`).join("; "),
    advice: "Give the same settings, on the same machine while it is unfinished, or write to another file.",
  });
}
