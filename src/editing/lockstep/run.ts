import { GraphError, row, type Tensor, throwIfCancelled, type Work } from "../../core/index.ts";
import {
  type Arithmetic,
  atLeastTwo,
  denoiseCoefficients,
  openArithmeticHere,
  type Predictor,
  type Schedule,
  type Sources,
  type StepCoefficients,
  stepCoefficients,
  type Taken,
  type Value,
  type ValueRow,
} from "../../diffusion/index.ts";
import type { SiteGroup } from "../../models/index.ts";
import { Latents, Placed } from "./latents.ts";
import { type PlannedRow, planRows, type StepPlan } from "./plan.ts";
import type { Attention, Process } from "./process.ts";
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
  /** Latents after the step of the processes that the hooks name, by these names. */
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
  /**
   * Names of the processes whose latents `afterStep` gets, which are then computed after every step, the last one too. Default:
   * all processes. A hook that reads few of them saves the rows of the others.
   */
  readonly latents?: readonly string[];
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
  readonly predictor: Predictor;
  /** At least two: a single row is repeated. */
  readonly rows: readonly PlannedRow[];
}

/** A step, and the batches that predict its rows. */
interface PlannedStep extends StepPlan {
  readonly batches: readonly Batch[];
}

/** Splits the rows of a step by the sets of weights that predict them. */
function batchesOf({ rows }: StepPlan): (Pick<Batch, "rows"> & { readonly weights: string | undefined })[] {
  const weights = [...new Set(rows.map(({ term }) => term.weights))];
  return weights.map((name) => ({
    weights: name,
    rows: atLeastTwo(rows.filter(({ term }) => term.weights === name)),
  }));
}

/** Returns the names of the processes whose latents a hook gets. */
const latentsOf = ({ afterStep, latents }: Hooks, processes: readonly Process[]): readonly string[] =>
  afterStep ? (latents ?? processes.map(({ name }) => name)) : [];

/** Runs the processes through all steps, with one batched prediction for each step and set of weights. Throws as planRows. */
export async function runLockStep(
  predictors: Predictors,
  schedule: Schedule,
  lockStep: LockStep,
  work: LockStepWork = {},
): Promise<LockStepResult> {
  const { processes, wanted, hooks = {} } = lockStep;
  const { observe = [], afterStep } = hooks;
  const { share = afterStep === undefined } = lockStep;
  const needed = { wanted: [...wanted, ...latentsOf(hooks, processes)], observed: observe, share };
  const plans = planRows(processes, schedule.timesteps.length, needed);
  const opened = new Map<string | undefined, Predictor>();
  const planned: PlannedStep[] = [];
  for (const plan of plans) {
    const batches: Batch[] = [];
    for (const { weights, rows } of batchesOf(plan)) {
      const predictor = opened.get(weights) ?? (await predictors(weights));
      opened.set(weights, predictor);
      predictor.checkBatch(rows.length);
      batches.push({ predictor, rows });
    }
    planned.push({ ...plan, batches });
  }
  const [{ arithmetic } = { arithmetic: openArithmeticHere }] = opened.values();
  return arithmetic.during((math) => runSteps(math, schedule, planned, lockStep, work), work.signal);
}

async function runSteps(
  math: Arithmetic,
  schedule: Schedule,
  plans: readonly PlannedStep[],
  { processes, wanted, groups = [], hooks = {}, reuse = 1 }: LockStep,
  { onProgress, onStep, signal }: LockStepWork,
): Promise<LockStepResult> {
  const N = schedule.timesteps.length;
  const { observe = [], afterStep } = hooks;
  const named = new Map(processes.map((p) => [p.name, p]));
  const latents = await Latents.start(math, processes);
  const contexts = new Placed(math);
  const innerParts = new InnerParts(math, reuse);
  let rowCount = 0;
  for (const [i, { batches, advancing, owners }] of plans.entries()) {
    throwIfCancelled(signal, "the edit");
    if (batches.length === 0) continue;
    const ownerOf = (name: string): Process => owners.get(named.get(name)!)!;
    const rows = batches.flatMap((batch) => batch.rows);
    rowCount += rows.length;
    const embedded = (await contexts.only(rows.map(({ term }) => term.context))).values();
    const maps = Array<Tensor | undefined>(observe.length).fill(undefined);
    const outputs: Value[] = [];
    for (const { predictor, rows } of batches) {
      const observed = observe.filter((o) => rows.some((r) => isOf(r, ownerOf(o.process), o.term)));
      const inner = innerParts.at(i, rows);
      const inputs: ValueRow[] = [];
      for (const [r, { process }] of rows.entries()) {
        inputs.push({ latent: await latents.at(process, i), context: embedded.next().value!, inner: inner[r] });
      }
      const prediction = await predictor.evaluate(math, inputs, schedule.timesteps[i], {
        sources: sourcesOf(rows, groups, i, ownerOf),
        observe: [...new Set(observed.map(({ site }) => site))],
      });
      if (prediction.inner) await innerParts.keep(rows, prediction.inner, owners);
      outputs.push(prediction.output);
      for (const one of observed) {
        const at = rows.findIndex((r) => isOf(r, ownerOf(one.process), one.term));
        const { shape, data } = row(prediction.maps.get(one.site)!, at);
        maps[observe.indexOf(one)] = { shape: shape.slice(1), data };
      }
    }

    const moved = (coefficients: StepCoefficients): Promise<Value[]> => {
      // A row that is repeated counts once.
      const weightsOf = (p: Process) =>
        rows.map((one, r) => (one.process === p && rows.indexOf(one) === r ? one.term.weight : 0));
      const moves = advancing.map((p) => ({ coefficients, weights: weightsOf(p) }));
      return math.advance(
        advancing.map((p) => latents.current(p)),
        outputs,
        moves,
      );
    };
    const clean = new Map<string, Tensor>();
    if (onStep) {
      const predicted = await moved(stepCoefficients(schedule.alphaBar[i], 1, schedule.prediction));
      for (const [k, latent] of (await math.read(predicted)).entries()) {
        for (const [sharing, owner] of owners) if (owner === advancing[k]) clean.set(sharing.name, latent);
      }
      math.release(...predicted);
    }
    const next = await moved(denoiseCoefficients(schedule, i));
    math.release(...outputs);
    latents.move(
      new Map(
        [...owners].flatMap(([p, owner]) => {
          const k = advancing.indexOf(owner);
          return k < 0 ? [] : [[p, next[k]]];
        }),
      ),
    );
    if (afterStep) {
      const state = { latents: await latents.read(i + 1, latentsOf(hooks, processes)), maps };
      const changed = [...((await afterStep(i, state)) ?? [])];
      const values = await math.put(changed.map(([, latent]) => latent));
      latents.move(new Map(changed.map(([name], k) => [named.get(name)!, values[k]])));
    }
    await onStep?.(i + 1, clean);
    onProgress?.({ phase: "edit", done: i + 1, total: N });
  }
  return { latents: await latents.read(N, wanted), rows: rowCount };
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
