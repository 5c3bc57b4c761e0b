import { type Picture, row, StorageError, type Tensor, tensor, throwIfCancelled, type Work } from "../core/index.ts";
import { type Model, openPredictor, type Size } from "../diffusion/index.ts";
import { Adam } from "./adam.ts";
import { ddimInversion } from "./ddim.ts";
import { type InversionOptions, type InversionSettings, inversionSettings } from "./options.ts";
import { openReconstructionLoss } from "./reconstructionLoss.ts";
import { sampleStep, tuneStep } from "./targetText.ts";

/** Where an inversion comes from, and what its bits depend on. */
export interface Origin {
  /** Hash of the model's weights and configurations. */
  readonly model: string;
  /** Hash of the picture as the model saw it. */
  readonly picture: string;
  readonly device: string;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** What the caller knows of it: `versions` are those of programs beside the engine's. The engine tells the rest. */
export type KnownOrigin = Pick<Origin, "model" | "picture"> & Partial<Pick<Origin, "versions">>;

/** What happened at each step, noisiest first; NaN where there was no further iteration. K: most iterations a step. */
export interface Trace {
  /** Loss before each iteration, then that of the embedding they end with: [N, K + 1]. */
  readonly loss: Tensor;
  /** Root mean square of each iteration's gradient, [N, K]. */
  readonly gradientRms: Tensor;
}

/**
 * One photo inverted towards one target sentence: all that an edit needs of the photo. Step-wise arrays are noisiest
 * first. Reused for every choice of α, attention and edit guidance.
 */
export interface Inversion {
  readonly target: string;
  readonly size: Size;
  readonly settings: InversionSettings;
  readonly origin: Origin;
  /** Model timesteps t_i. */
  readonly timesteps: readonly number[];
  /** z*, DDIM inversion's latents, [N + 1, C, h, w]; the last is the photo's own. */
  readonly inverted: Tensor;
  /** C, the tuned embeddings, [N, L, D]. */
  readonly embeddings: Tensor;
  /** z̄, where sampling with C leads, [N + 1, C, h, w]. */
  readonly reconstruction: Tensor;
  readonly trace: Trace;
  /** Adam's moments after the last tuned step, [2, L, D]. */
  readonly moments: Tensor;
  /** Steps of both phases that are in the arrays. */
  readonly done: { readonly inverted: number; readonly tuned: number };
}

export interface InvertWork extends Work {
  /** Called after every step with what there is so far; it is waited for. */
  onStep?: (inversion: Inversion) => Promise<void>;
  /** An unfinished inversion of the same photo, sentence, model and settings to go on with. */
  resume?: Inversion;
}

export const isComplete = ({ done, settings }: Inversion): boolean =>
  done.inverted === settings.steps && done.tuned === settings.steps;

/** Iterations of each step. */
export const iterationsOf = ({ trace, settings }: Inversion): number[] =>
  Array.from(
    { length: settings.steps },
    (_, i) => row(trace.gradientRms, i).data.filter((x) => !Number.isNaN(x)).length,
  );

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
  const { onProgress, onStep, resume, signal } = work;
  const settings = inversionSettings(target, options, model.editing);
  const schedule = model.schedule(settings.steps);
  const fresh = emptyInversion(model, picture, target, settings, origin);
  if (resume) requireSame(resume, fresh);
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

function emptyInversion(
  model: Model,
  { width, height }: Picture,
  target: string,
  settings: InversionSettings,
  origin: KnownOrigin,
): Inversion {
  const { steps, iterations } = settings;
  const [, ...latent] = model.latentShape({ width, height });
  const embedding = [model.text.length, model.text.width];
  const { device, threads, versions } = model.engine;
  const unknown = (shape: readonly number[]): Tensor => {
    const made = tensor(shape);
    made.data.fill(Number.NaN);
    return made;
  };
  return {
    target,
    size: { width, height },
    settings,
    origin: { ...origin, device, threads, versions: { ...origin.versions, ...versions } },
    timesteps: model.schedule(steps).timesteps,
    inverted: tensor([steps + 1, ...latent]),
    embeddings: tensor([steps, ...embedding]),
    reconstruction: tensor([steps + 1, ...latent]),
    trace: { loss: unknown([steps, iterations + 1]), gradientRms: unknown([steps, iterations]) },
    moments: tensor([2, ...embedding]),
    done: { inverted: 0, tuned: 0 },
  };
}

/** What an inversion is of, and what its bits depend on besides. */
function factsOf({ target, size, settings, origin, timesteps }: Inversion) {
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
  JSON.stringify(
    factsOf(emptyInversion(model, picture, target, inversionSettings(target, options, model.editing), origin)),
  );

/**
 * Throws StorageError that lists everything in which an inversion that is there differs from the one that is wanted. Only
 * an unfinished one must also come from the same machine, for the rest of it to fit.
 */
function requireSame(found: Inversion, wanted: Inversion): void {
  const facts = (inversion: Inversion): Record<string, string> => {
    const { of, machine } = factsOf(inversion);
    return isComplete(found) ? of : { ...of, ...machine };
  };
  const [have, want] = [facts(found), facts(wanted)];
  const different = Object.keys(want).filter((key) => have[key] !== want[key]);
  if (different.length === 0) return;
  throw new StorageError(`the ${isComplete(found) ? "" : "unfinished "}inversion that is there is another one`, {
    found: different.map((key) => `${key} ${have[key]}`).join("; "),
    expected: different.map((key) => `${key} ${want[key]}`).join("; "),
    advice: "Give the same settings, on the same machine while it is unfinished, or write to another file.",
  });
}
