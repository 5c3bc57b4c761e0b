import { GraphError, row, type Tensor, throwIfCancelled, type Work } from "../../core/index.ts";
import {
  applyStep,
  atLeastTwo,
  denoiseCoefficients,
  type Predictor,
  type Schedule,
  type Sources,
  stepCoefficients,
  type Taken,
} from "../../diffusion/index.ts";
import type { SiteGroup } from "../../models/index.ts";
import { type PlannedRow, planRows, type StepPlan } from "./plan.ts";
import { type Attention, guided, type Process } from "./process.ts";
import { InnerParts } from "./reuse.ts";

/** Selects the attention maps of one row at one site for a hook. */
export interface Observation {
  readonly process: string;
  readonly term: string;
  /** Path of the attention site. */
  readonly site: string;
}

/** Input of a hook after a step. */
export interface StepState {
  /** Latents after the step, by process. */
  readonly latents: ReadonlyMap<string, Tensor>;
  /**
   * The attention maps [heads, L, M] of each observation, in the order of `observe`, after the row has taken from others;
   * undefined before its process starts.
   */
  readonly maps: readonly (Tensor | undefined)[];
}

/** Observes attention maps and may change latents, as Prompt-to-Prompt's local blend does. */
export interface Hooks {
  readonly observe?: readonly Observation[];
  /** Called and awaited after every step. Returns the latents that it changes, by process. */
  readonly afterStep?: (i: number, state: StepState) => Promise<ReadonlyMap<string, Tensor> | undefined>;
}

export interface LockStep {
  readonly processes: readonly Process[];
  /** Names of the processes whose last latents are wanted. */
  readonly wanted: readonly string[];
  /** Groups of sites at which processes take from each other. The predictors must be opened with them. */
  readonly groups?: readonly SiteGroup[];
  readonly hooks?: Hooks;
  /** Lets identical processes share rows. Default: true, unless a hook may change latents. */
  readonly share?: boolean;
  /**
   * Computes the inner parts of the U-Net at every n-th step only, and at steps whose attention is observed; if n is more than
   * 1, the predictors must be opened to reuse them. Default 1: at every step.
   */
  readonly reuse?: number;
}

/**
 * Returns the predictor of a set of weights that terms name. undefined: the model's own weights. Called once for each set
 * whose predictions are needed.
 */
export type Predictors = (weights: string | undefined) => Predictor | Promise<Predictor>;

export interface LockStepWork extends Work {
  /** Called and awaited after every step with the clean latent that the step predicts, by process. */
  onStep?: (done: number, clean: ReadonlyMap<string, Tensor>) => Promise<void>;
}

export interface LockStepResult {
  /** The last latent of each wanted process, [1, C, h, w]. */
  readonly latents: ReadonlyMap<string, Tensor>;
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
}

/** The rows of a step that one set of weights predicts. */
interface Batch {
  readonly weights: string | undefined;
  /** At least two: a single row is repeated. */
  readonly rows: readonly PlannedRow[];
}

/** Splits the rows of a step into batches, one for each set of weights. */
function batchesOf({ rows }: StepPlan): Batch[] {
  const weights = [...new Set(rows.map(({ term }) => term.weights))];
  return weights.map((name) => ({
    weights: name,
    rows: atLeastTwo(rows.filter(({ term }) => term.weights === name)),
  }));
}

/** Runs the processes through all steps, with one batched prediction for each step and set of weights. Throws as planRows. */
export async function runLockStep(
  predictors: Predictors,
  schedule: Schedule,
  { processes, wanted, groups = [], hooks = {}, share = hooks.afterStep === undefined, reuse = 1 }: LockStep,
  { onProgress, onStep, signal }: LockStepWork = {},
): Promise<LockStepResult> {
  const N = schedule.timesteps.length;
  const { observe = [], afterStep } = hooks;
  const plans = planRows(processes, N, { wanted, observed: observe, share });
  const batches = plans.map(batchesOf);
  const opened = new Map<string | undefined, Predictor>();
  for (const { weights, rows } of batches.flat()) {
    const predictor = opened.get(weights) ?? (await predictors(weights));
    opened.set(weights, predictor);
    predictor.checkBatch(rows.length);
  }

  const named = new Map(processes.map((p) => [p.name, p]));
  const latents = new Map<Process, Tensor>(processes.map((p) => [p, p.start]));
  const latentAt = (p: Process, i: number): Tensor => (p.known ? row(p.known, i) : latents.get(p)!);
  const innerParts = new InnerParts(reuse);
  let rowCount = 0;
  for (const [i, { advancing, owners }] of plans.entries()) {
    throwIfCancelled(signal, "the edit");
    if (batches[i].length === 0) continue;
    const ownerOf = (name: string): Process => owners.get(named.get(name)!)!;
    const outputs = new Map<PlannedRow, Tensor>();
    const maps = Array<Tensor | undefined>(observe.length).fill(undefined);
    for (const { weights, rows } of batches[i]) {
      const observed = observe.filter((o) => rows.some((r) => isOf(r, ownerOf(o.process), o.term)));
      const inner = innerParts.at(i, rows);
      const inputs = rows.map(({ process, term: { context } }, r) => ({
        latent: latentAt(process, i),
        context,
        inner: inner[r],
      }));
      const prediction = await opened.get(weights)!.look(inputs, schedule.timesteps[i], {
        sources: sourcesOf(rows, groups, i, ownerOf),
        observe: [...new Set(observed.map(({ site }) => site))],
        signal,
      });
      rowCount += rows.length;
      if (prediction.inner) innerParts.keep(rows, prediction.inner, owners);
      rows.forEach((planned, r) => {
        outputs.set(planned, row(prediction.output, r));
      });
      for (const one of observed) {
        const at = rows.findIndex((r) => isOf(r, ownerOf(one.process), one.term));
        const { shape, data } = row(prediction.maps.get(one.site)!, at);
        maps[observe.indexOf(one)] = { shape: shape.slice(1), data };
      }
    }

    const clean = new Map<string, Tensor>();
    const toClean = stepCoefficients(schedule.alphaBar[i], 1, schedule.prediction);
    for (const process of advancing) {
      const own = [...outputs].filter(([planned]) => planned.process === process);
      const prediction = guided(own.map(([{ term }, output]) => ({ weight: term.weight, output })));
      const z = latents.get(process)!;
      const next = applyStep(denoiseCoefficients(schedule, i), z, prediction);
      const predicted = onStep && applyStep(toClean, z, prediction);
      for (const [sharing, owner] of owners) {
        if (owner !== process) continue;
        latents.set(sharing, next);
        if (predicted) clean.set(sharing.name, predicted);
      }
    }
    const state = { latents: new Map(processes.map((p) => [p.name, latentAt(p, i + 1)])), maps };
    for (const [name, latent] of (await afterStep?.(i, state)) ?? []) latents.set(named.get(name)!, latent);
    await onStep?.(i + 1, clean);
    onProgress?.({ phase: "edit", done: i + 1, total: N });
  }
  return { latents: new Map(wanted.map((name) => [name, latentAt(named.get(name)!, N)])), rows: rowCount };
}

function requireGroups(groups: readonly SiteGroup[], attention: readonly Attention[], i: number): void {
  const known = groups.map(({ name }) => name);
  const unknown = attention.flatMap((one) => Object.keys(one)).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new GraphError("no such group of attention sites", {
    where: `step ${i}`,
    found: unknown.join(", "),
    expected: known.join(", ") || "none",
  });
}

const isOf = ({ process, term }: PlannedRow, wanted: Process, name: string): boolean =>
  process === wanted && term.name === name;

/** Returns for each group and each row of the batch its source: the row of another process in the same term, or itself. */
function sourcesOf(
  rows: readonly PlannedRow[],
  groups: readonly SiteGroup[],
  i: number,
  ownerOf: (process: string) => Process,
): Sources {
  const attention = rows.map(({ process, term }) => process.attention?.(i, term.name) ?? {});
  requireGroups(groups, attention, i);
  const taken = groups.map(({ name }): [string, Taken] => {
    const sources = attention.map((one) => one[name]);
    const from = rows.map(({ process, term }, r) => {
      const source = sources[r];
      const at = rows.findIndex((other) => isOf(other, source ? ownerOf(source.from) : process, term.name));
      if (at >= 0) return at;
      const found = `${process.name} from ${source?.from}, ${term.name}`;
      throw new GraphError("a row takes from a row that other weights predict", { where: `step ${i}`, found });
    });
    const masks = sources.some((source) => source?.mask) && { masks: sources.map((source) => source?.mask?.()) };
    return [name, { from, mix: sources.map((source) => source?.mix), ...masks }];
  });
  return Object.fromEntries(taken);
}
