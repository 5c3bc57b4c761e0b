import { GraphError, type Tensor } from "../../core/index.ts";
import { type Attention, firstStep, type Process, type Term } from "./process.ts";

/** One row of a step's batch: one guidance term of a process. */
export interface PlannedRow {
  readonly process: Process;
  readonly term: Term;
}

/** The computations of one step. */
export interface StepPlan {
  readonly rows: readonly PlannedRow[];
  /** Processes whose next latents are computed. */
  readonly advancing: readonly Process[];
  /** For each process, the owner of its rows: the first process that is identical up to this step. */
  readonly owners: ReadonlyMap<Process, Process>;
}

export interface PlanOptions {
  /** Names of the processes whose last latents are wanted, or given to hooks. */
  readonly wanted: readonly string[];
  /** Rows whose attention is observed, at every step from the first one of their process on. */
  readonly observed?: readonly { readonly process: string; readonly term: string }[];
  /** Lets identical processes share rows. Must be false if a hook may change latents. Default true. */
  readonly share?: boolean;
}

type ByName = ReadonlyMap<string, Process>;

function processOf(named: ByName, name: string): Process {
  const found = named.get(name);
  if (found) return found;
  throw new GraphError("no such process", { found: name, expected: [...named.keys()].join(", ") });
}

/** Tells if two values are the same object, or tensors over the same numbers in memory. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const [p, q] = [a, b].map((value) => (value as Partial<Tensor> | undefined)?.data);
  return p !== undefined && p.buffer === q?.buffer && p.byteOffset === q.byteOffset && p.length === q.length;
}

/** Returns the attention sources of a process at step i in one of its terms. */
const attentionOf = (process: Process, i: number, term: string): Attention => process.attention?.(i, term) ?? {};

/**
 * For each of N steps, maps every process to the first one with identical start, guidance and attention sources so far. They
 * share the rows of that process.
 */
function ownersOf(processes: readonly Process[], N: number, share: boolean): Map<Process, Process>[] {
  const named = new Map(processes.map((p) => [p.name, p]));
  const startsAlike = (p: Process, q: Process): boolean =>
    isSame(p.known, q.known) && isSame(p.start, q.start) && firstStep(p) === firstStep(q);
  let before = new Map(processes.map((p) => [p, processes.find((q) => q === p || (share && startsAlike(p, q)))!]));
  return Array.from({ length: N }, (_, i) => {
    const now = new Map<Process, Process>();
    /** Returns everything that a step of a process depends on except its latent. */
    const dependencies = (p: Process): unknown[] =>
      p.terms(i).flatMap(({ name, weight, context, weights }) => [
        name,
        weight,
        context,
        weights,
        ...Object.entries(attentionOf(p, i, name))
          .filter(([, source]) => source !== undefined)
          .flatMap(([group, source]) => [group, ownerOf(processOf(named, source!.from)), source!.mix, source!.mask]),
      ]);
    const ownerOf = (p: Process): Process => {
      const known = now.get(p);
      if (known) return known;
      // Ends the recursion if processes take from each other or from themselves.
      now.set(p, p);
      const own = dependencies(p);
      const isIdentical = (q: Process): boolean => {
        if (before.get(q) !== before.get(p)) return false;
        const others = dependencies(q);
        return others.length === own.length && others.every((value, k) => isSame(value, own[k]));
      };
      const owner = processes.find((q) => q === p || (share && isIdentical(q)))!;
      now.set(p, owner);
      return owner;
    };
    for (const p of processes) ownerOf(p);
    before = now;
    return now;
  });
}

/**
 * Plans the computations of each of N steps that give the last latents of the wanted processes. Rows that nothing reads are
 * left out, and identical processes share rows. Throws GraphError if a process takes from one that does not exist, has not
 * started or has no such term.
 */
export function planRows(
  processes: readonly Process[],
  N: number,
  { wanted, observed = [], share = true }: PlanOptions,
): StepPlan[] {
  const named = new Map(processes.map((p) => [p.name, p]));
  const needed = new Set(wanted.map((name) => processOf(named, name)).filter((p) => !p.known));
  const plans: StepPlan[] = [];
  const ownersAt = ownersOf(processes, N, share);
  for (let i = N - 1; i >= 0; i--) {
    const owners = ownersAt[i];
    const started = new Set([...needed].filter((p) => i >= firstStep(p)).map((p) => owners.get(p)!));
    const advancing = processes.filter((p) => started.has(p));
    const terms = new Map<Process, Set<string>>();
    const queue: { process: Process; term: string }[] = [];
    const need = (process: Process, term: string): void => {
      const names = terms.get(process) ?? new Set();
      if (names.has(term)) return;
      terms.set(process, names.add(term));
      queue.push({ process, term });
      if (!process.known) needed.add(process);
    };
    for (const process of advancing) {
      for (const { name, weight } of process.terms(i)) if (weight !== 0) need(process, name);
    }
    for (const { process: name, term } of observed) {
      const process = processOf(named, name);
      if (i >= firstStep(process)) need(owners.get(process)!, term);
    }
    // The queue grows during the loop, so the sources of sources are found too.
    for (const { process, term } of queue) {
      for (const source of Object.values(attentionOf(process, i, term))) {
        if (source) need(owners.get(processOf(named, source.from))!, term);
      }
    }
    plans.unshift({ rows: rowsOf(processes, terms, i), advancing, owners });
  }
  return plans;
}

/** Returns the needed rows, grouped by term. Terms are in the order of their first appearance. */
function rowsOf(processes: readonly Process[], needed: ReadonlyMap<Process, Set<string>>, i: number): PlannedRow[] {
  const all = processes.filter((p) => needed.has(p)).flatMap((process) => termsOf(process, needed.get(process)!, i));
  const names = [...new Set(all.map(({ term }) => term.name))];
  return names.flatMap((name) => all.filter(({ term }) => term.name === name));
}

function termsOf(process: Process, names: ReadonlySet<string>, i: number): PlannedRow[] {
  const where = `step ${i} of ${process.name}`;
  if (i < firstStep(process)) {
    throw new GraphError("another process takes from this process before it starts", {
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
