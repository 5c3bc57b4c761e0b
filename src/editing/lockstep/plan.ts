import { GraphError, type Tensor } from "../../core/index.ts";
import { type Attention, firstStep, type Process, type Term } from "./process.ts";

/** One row of a step's batch: a process, in one term of its guidance. */
export interface PlannedRow {
  readonly process: Process;
  readonly term: Term;
}

/** What is computed at one step. */
export interface StepPlan {
  readonly rows: readonly PlannedRow[];
  /** The processes whose latents move on. */
  readonly moves: readonly Process[];
  /** For each process, the first one that has been identical up to this step: its rows serve both. */
  readonly leaders: ReadonlyMap<Process, Process>;
}

export interface PlanOptions {
  /** Names of the processes whose last latents are asked for. */
  readonly wanted: readonly string[];
  /** Processes whose rows of a term are looked at, at every step from their first one on. */
  readonly observed?: readonly { readonly process: string; readonly term: string }[];
  /** Whether identical processes share rows. Not if latents may be changed from outside. Default true. */
  readonly share?: boolean;
}

type ByName = ReadonlyMap<string, Process>;

function processOf(named: ByName, name: string): Process {
  const found = named.get(name);
  if (found) return found;
  throw new GraphError("no such process", { found: name, expected: [...named.keys()].join(", ") });
}

/** Whether two values are the same object, or tensors over the same numbers in memory. */
function isOne(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const [p, q] = [a, b].map((value) => (value as Partial<Tensor> | undefined)?.data);
  return p !== undefined && p.buffer === q?.buffer && p.byteOffset === q.byteOffset && p.length === q.length;
}

/** What a process takes at step i in one of its terms. */
const attentionOf = (process: Process, i: number, term: string): Attention => process.attention?.(i, term) ?? {};

/**
 * For each of N steps, maps every process to the first one with identical start, guidance and attention sources so far, so
 * that they share rows.
 */
function leadersOf(processes: readonly Process[], N: number, share: boolean): Map<Process, Process>[] {
  const named = new Map(processes.map((p) => [p.name, p]));
  const beginAlike = (p: Process, q: Process): boolean =>
    isOne(p.known, q.known) && isOne(p.start, q.start) && firstStep(p) === firstStep(q);
  let before = new Map(processes.map((p) => [p, processes.find((q) => q === p || (share && beginAlike(p, q)))!]));
  return Array.from({ length: N }, (_, i) => {
    const now = new Map<Process, Process>();
    /** Everything that a step of a process depends on, besides its latent. */
    const dependencies = (p: Process): unknown[] =>
      p.terms(i).flatMap(({ name, weight, context, weights }) => [
        name,
        weight,
        context,
        weights,
        ...Object.entries(attentionOf(p, i, name))
          .filter(([, source]) => source !== undefined)
          .flatMap(([group, source]) => [group, leaderOf(processOf(named, source!.from)), source!.mix]),
      ]);
    const leaderOf = (p: Process): Process => {
      const known = now.get(p);
      if (known) return known;
      // Processes that take from each other, or from themselves, are themselves meanwhile.
      now.set(p, p);
      const own = dependencies(p);
      const isSame = (q: Process): boolean => {
        if (before.get(q) !== before.get(p)) return false;
        const others = dependencies(q);
        return others.length === own.length && others.every((value, k) => isOne(value, own[k]));
      };
      const leader = processes.find((q) => q === p || (share && isSame(q)))!;
      now.set(p, leader);
      return leader;
    };
    for (const p of processes) leaderOf(p);
    before = now;
    return now;
  });
}

/**
 * What must be computed at each of N steps, so that the wanted processes reach the end: rows that nothing reads are left
 * out, and what processes have in common is computed once. Throws GraphError if a process takes from one that does not
 * exist, or not yet, or has no such term.
 */
export function planRows(
  processes: readonly Process[],
  N: number,
  { wanted, observed = [], share = true }: PlanOptions,
): StepPlan[] {
  const named = new Map(processes.map((p) => [p.name, p]));
  const moving = new Set(wanted.map((name) => processOf(named, name)).filter((p) => !p.known));
  const plans: StepPlan[] = [];
  const leadersAt = leadersOf(processes, N, share);
  for (let i = N - 1; i >= 0; i--) {
    const leaders = leadersAt[i];
    const led = new Set([...moving].filter((p) => i >= firstStep(p)).map((p) => leaders.get(p)!));
    const moves = processes.filter((p) => led.has(p));
    const needed = new Map<Process, Set<string>>();
    const queue: { process: Process; term: string }[] = [];
    const need = (process: Process, term: string): void => {
      const terms = needed.get(process) ?? new Set();
      if (terms.has(term)) return;
      needed.set(process, terms.add(term));
      queue.push({ process, term });
      if (!process.known) moving.add(process);
    };
    for (const process of moves) {
      for (const { name, weight } of process.terms(i)) if (weight !== 0) need(process, name);
    }
    for (const { process: name, term } of observed) {
      const process = processOf(named, name);
      if (i >= firstStep(process)) need(leaders.get(process)!, term);
    }
    // The queue grows while it is walked, so the sources of sources are found too.
    for (const { process, term } of queue) {
      for (const source of Object.values(attentionOf(process, i, term))) {
        if (source) need(leaders.get(processOf(named, source.from))!, term);
      }
    }
    plans.unshift({ rows: rowsOf(processes, needed, i), moves, leaders });
  }
  return plans;
}

/** The needed rows, those of one term beside each other, terms in the order of their first appearance. */
function rowsOf(processes: readonly Process[], needed: ReadonlyMap<Process, Set<string>>, i: number): PlannedRow[] {
  const all = processes.filter((p) => needed.has(p)).flatMap((process) => termsOf(process, needed.get(process)!, i));
  const names = [...new Set(all.map(({ term }) => term.name))];
  return names.flatMap((name) => all.filter(({ term }) => term.name === name));
}

function termsOf(process: Process, names: ReadonlySet<string>, i: number): PlannedRow[] {
  const where = `step ${i} of ${process.name}`;
  if (i < firstStep(process)) {
    throw new GraphError("a process is taken from before it starts", {
      where,
      expected: `from step ${firstStep(process)} on`,
    });
  }
  const terms = process.terms(i);
  const missing = [...names].filter((name) => !terms.some((term) => term.name === name));
  if (missing.length > 0) {
    const expected = terms.map(({ name }) => name).join(", ");
    throw new GraphError("no such term", { where, found: missing.join(", "), expected });
  }
  return terms.filter(({ name }) => names.has(name)).map((term) => ({ process, term }));
}
