import { row, type Tensor, throwIfCancelled, type Work } from "../core/index.ts";
import {
  type AttentionKind,
  applyStep,
  atLeastTwo,
  attentionKinds,
  denoiseCoefficients,
  guide,
  type Predictor,
  type Schedule,
  type Sources,
  stepCoefficients,
} from "../diffusion/index.ts";

/** Guided prediction has two rows: one for the empty sentence, one for the process's own. */
export const halves = ["empty", "own"] as const;
export type Half = (typeof halves)[number];

/** One of the sampling processes that run side by side from one latent and may use each other's attention. */
export interface Process {
  readonly name: string;
  readonly guidance: number;
  /** Embedding of its sentence at step i, [1, L, D]. */
  readonly context: (i: number) => Tensor;
  /** The process whose queries and keys (or whatever is routed) it uses at step i, by name. */
  readonly source?: (kind: AttentionKind, i: number) => string | undefined;
  /** Its latents, where they are known: [N + 1, C, h, w]. It is then asked only for what others use of it. */
  readonly known?: Tensor;
}

/** The rows of one step: which process, which half; and which processes move on. */
export interface StepPlan {
  readonly rows: readonly { readonly process: Process; readonly half: Half }[];
  readonly moves: readonly Process[];
  /** The process whose rows serve each process: itself, or one that has been the same up to this step. */
  readonly leaders: ReadonlyMap<Process, Process>;
}

/**
 * Whom each process is one with at each of N steps: the first of those with the same guidance, context and sources at
 * this step and at all before it.
 */
function leadersOf(processes: readonly Process[], N: number): Map<Process, Process>[] {
  const named = new Map(processes.map((p) => [p.name, p]));
  let before = new Map(processes.map((p) => [p, processes.find((q) => q.known === p.known)!]));
  return Array.from({ length: N }, (_, i) => {
    const now = new Map<Process, Process>();
    const leaderOf = (p: Process): Process => {
      const known = now.get(p);
      if (known) return known;
      const sources = (q: Process) =>
        attentionKinds.map((kind) => {
          const name = q.source?.(kind, i);
          return name === undefined ? undefined : leaderOf(named.get(name)!);
        });
      const own = sources(p);
      const same = (q: Process): boolean =>
        before.get(q) === before.get(p) &&
        q.context === p.context &&
        q.guidance === p.guidance &&
        sources(q).every((source, k) => source === own[k]);
      const leader = processes.find((q) => q === p || same(q))!;
      now.set(p, leader);
      return leader;
    };
    for (const p of processes) leaderOf(p);
    before = now;
    return now;
  });
}

/**
 * What must be computed at each of N steps, so that `wanted` reach the end: rows that nothing reads are left out, and
 * what processes have in common is computed once. routedHalves: in which halves sources are used.
 */
export function planRows(
  processes: readonly Process[],
  wanted: readonly string[],
  N: number,
  routedHalves: readonly Half[],
): StepPlan[] {
  const named = new Map(processes.map((p) => [p.name, p]));
  const moving = new Set(processes.filter((p) => wanted.includes(p.name) && !p.known));
  const plans: StepPlan[] = [];
  const leadersAt = leadersOf(processes, N);
  for (let i = N - 1; i >= 0; i--) {
    const leaders = leadersAt[i];
    const led = new Set([...moving].map((p) => leaders.get(p)!));
    const moves = processes.filter((p) => led.has(p));
    const needed = new Map(
      halves.map((half) => [half, new Set(moves.filter((p) => half === "own" || p.guidance !== 1))]),
    );
    for (const half of routedHalves) {
      const rows = needed.get(half)!;
      // A set grows while it is walked, so the sources of sources are found too.
      for (const process of rows) {
        for (const kind of attentionKinds) {
          const name = process.source?.(kind, i);
          if (name === undefined) continue;
          const source = leaders.get(named.get(name)!)!;
          rows.add(source);
          if (!source.known) moving.add(source);
        }
      }
    }
    const rows = halves.flatMap((half) =>
      processes.filter((p) => needed.get(half)!.has(p)).map((process) => ({ process, half })),
    );
    plans.unshift({ rows, moves, leaders });
  }
  return plans;
}

export interface LockStep {
  readonly processes: readonly Process[];
  /** Names of the processes whose last latents are asked for. */
  readonly wanted: readonly string[];
  readonly routedHalves: readonly Half[];
  /** Where all of them start, [1, C, h, w]. */
  readonly start: Tensor;
  /** Embedding of the empty sentence, [1, L, D]. */
  readonly empty: Tensor;
}

export interface LockStepWork extends Work {
  /** Called after every step with what each moving process's clean latent looks like from there; it is waited for. */
  onStep?: (done: number, clean: ReadonlyMap<string, Tensor>) => Promise<void>;
}

export interface LockStepResult {
  /** The last latent of each wanted process, [1, C, h, w]. */
  readonly latents: ReadonlyMap<string, Tensor>;
  /** Rows that the U-Net was asked for, over all steps. */
  readonly rows: number;
}

/** Runs the processes through all steps, one batched forward a step. */
export async function runLockStep(
  predictor: Predictor,
  schedule: Schedule,
  { processes, wanted, routedHalves, start, empty }: LockStep,
  { onProgress, onStep, signal }: LockStepWork = {},
): Promise<LockStepResult> {
  const N = schedule.timesteps.length;
  const plans = planRows(processes, wanted, N, routedHalves);
  predictor.checkBatch(Math.max(2, ...plans.map(({ rows }) => rows.length)));
  const latents = new Map<Process, Tensor>(processes.map((p) => [p, start]));
  const latentAt = (p: Process, i: number): Tensor => (p.known ? row(p.known, i) : latents.get(p)!);
  let rowCount = 0;
  const named = new Map(processes.map((p) => [p.name, p]));
  for (const [i, { rows, moves, leaders }] of plans.entries()) {
    throwIfCancelled(signal, "the edit");
    if (rows.length === 0) break;
    const batch = atLeastTwo(rows);
    const at = (process: Process, half: Half): number =>
      rows.findIndex((r) => r.process === process && r.half === half);
    const sourcesOf = (kind: AttentionKind): number[] =>
      batch.map(({ process, half }) => {
        const source = routedHalves.includes(half) ? process.source?.(kind, i) : undefined;
        return at(source === undefined ? process : leaders.get(named.get(source)!)!, half);
      });
    const sources: Sources = { self: sourcesOf("self"), cross: sourcesOf("cross") };
    const inputs = batch.map(({ process, half }) => ({
      latent: latentAt(process, i),
      context: half === "empty" ? empty : process.context(i),
    }));
    const output = await predictor.predict(inputs, schedule.timesteps[i], { sources, signal });
    rowCount += batch.length;

    const clean = new Map<string, Tensor>();
    const toClean = stepCoefficients(schedule.alphaBar[i], 1, schedule.prediction);
    for (const process of moves) {
      const own = row(output, at(process, "own"));
      const guided = process.guidance === 1 ? own : guide(row(output, at(process, "empty")), own, process.guidance);
      const z = latents.get(process)!;
      const next = applyStep(denoiseCoefficients(schedule, i), z, guided);
      const forecast = onStep && applyStep(toClean, z, guided);
      for (const [follower, leader] of leaders) {
        if (leader !== process) continue;
        latents.set(follower, next);
        if (forecast) clean.set(follower.name, forecast);
      }
    }
    await onStep?.(i + 1, clean);
    onProgress?.({ phase: "edit", done: i + 1, total: N });
  }
  const last = processes.filter((p) => wanted.includes(p.name)).map((p) => [p.name, latentAt(p, N)] as const);
  return { latents: new Map(last), rows: rowCount };
}
