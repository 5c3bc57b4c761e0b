import { row, type Tensor, unstack } from "../../core/index.ts";
import type { Arithmetic, Value } from "../../diffusion/index.ts";
import { isSame } from "./plan.ts";
import type { Process } from "./process.ts";

/** Tensors that are placed where an arithmetic computes, each once: tensors over the same numbers are one. */
export class Placed {
  private readonly math: Arithmetic;
  private placed: { readonly tensor: Tensor; readonly value: Value }[] = [];

  constructor(math: Arithmetic) {
    this.math = math;
  }

  /** Returns the values of tensors. Those of all other tensors are freed. */
  async only(tensors: readonly Tensor[]): Promise<Value[]> {
    const known = (tensor: Tensor) => this.placed.find((one) => isSame(one.tensor, tensor));
    const fresh = tensors.filter((tensor, k) => !known(tensor) && tensors.findIndex((t) => isSame(t, tensor)) === k);
    const values = await this.math.put(fresh);
    this.placed.push(...fresh.map((tensor, k) => ({ tensor, value: values[k] })));
    const isWanted = ({ tensor }: { readonly tensor: Tensor }) => tensors.some((one) => isSame(one, tensor));
    this.math.release(...this.placed.filter((one) => !isWanted(one)).map(({ value }) => value));
    this.placed = this.placed.filter(isWanted);
    return tensors.map((tensor) => known(tensor)!.value);
  }
}

/** The latents of processes, where an arithmetic computes. Processes that are identical so far share theirs. */
export class Latents {
  private readonly math: Arithmetic;
  private readonly processes: readonly Process[];
  /** Latents that sampling has reached. */
  private now: Map<Process, Value>;
  /** All latents of the processes whose latents are known, if they are needed. */
  private readonly known = new Map<Process, readonly Value[]>();

  private constructor(math: Arithmetic, processes: readonly Process[], starts: readonly Value[]) {
    this.math = math;
    this.processes = processes;
    this.now = new Map(processes.map((p, k) => [p, starts[k]]));
  }

  static async start(math: Arithmetic, processes: readonly Process[]): Promise<Latents> {
    return new Latents(math, processes, await new Placed(math).only(processes.map(({ start }) => start)));
  }

  /** The latent of a process that is not known in advance. */
  current(process: Process): Value {
    return this.now.get(process)!;
  }

  /** The latent of a process before step i. */
  async at(process: Process, i: number): Promise<Value> {
    if (!process.known) return this.current(process);
    const known = this.known.get(process) ?? (await this.math.put(unstack(process.known)));
    this.known.set(process, known);
    return known[i];
  }

  /** Replaces latents. Those that no process has any more are freed. */
  move(next: ReadonlyMap<Process, Value>): void {
    const before = new Set(this.now.values());
    this.now = new Map([...this.now, ...next]);
    const kept = new Set(this.now.values());
    this.math.release(...[...before].filter((value) => !kept.has(value)));
  }

  /** Returns the latents of the named processes before step i. */
  async read(i: number, names: readonly string[]): Promise<Map<string, Tensor>> {
    const read = this.processes.filter(({ name }) => names.includes(name));
    const own = [...new Set(read.filter((p) => !p.known).map((p) => this.current(p)))];
    const tensors = await this.math.read(own);
    const latentOf = (p: Process): Tensor => (p.known ? row(p.known, i) : tensors[own.indexOf(this.current(p))]);
    return new Map(read.map((p) => [p.name, latentOf(p)]));
  }
}
