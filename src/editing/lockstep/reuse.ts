import type { Arithmetic, Value } from "../../diffusion/index.ts";
import type { PlannedRow } from "./plan.ts";
import type { Process } from "./process.ts";

const nameOf = (process: Process, term: string): string => JSON.stringify([process.name, term]);

/**
 * Results of the inner parts of the U-Net for each row, from when they were last computed. They change little from one step to the
 * next, so they are computed at every n-th step only (DeepCache; Ma et al. 2024).
 */
export class InnerParts {
  private readonly math: Arithmetic;
  private readonly every: number;
  private readonly kept = new Map<string, Value>();

  constructor(math: Arithmetic, every: number) {
    this.math = math;
    this.every = every;
  }

  /** Returns them for each row of a batch at step i. All are undefined if they are due, or if one of them is missing. */
  at(i: number, rows: readonly PlannedRow[]): readonly (Value | undefined)[] {
    const known = rows.map(({ process, term }) => this.kept.get(nameOf(process, term.name)));
    return i % this.every === 0 || known.includes(undefined) ? rows.map(() => undefined) : known;
  }

  /** Keeps them, [B, C, H, W]. owners: for each process, the one whose rows it shares at this step. */
  async keep(rows: readonly PlannedRow[], inner: Value, owners: ReadonlyMap<Process, Process>): Promise<void> {
    const before = new Set(this.kept.values());
    const values = await this.math.unstack(inner);
    this.math.release(inner);
    for (const [r, { process, term }] of rows.entries()) {
      for (const [sharing, owner] of owners) {
        if (owner === process) this.kept.set(nameOf(sharing, term.name), values[r]);
      }
    }
    const after = new Set(this.kept.values());
    this.math.release(...[...before, ...values].filter((value) => !after.has(value)));
  }
}
