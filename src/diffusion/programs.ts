import { sharedWork, UsageError, type Warning } from "../core/index.ts";
import { type Node, usesGradients } from "../graph/index.ts";
import { batchOfFeeds, type MeasuredSession } from "../runtime/index.ts";
import type { WeightSet } from "../weights/index.ts";
import type { Network } from "./networks.ts";

/** Weights of a program other than the checkpoint's: other ones of the same names and shapes, or fed at every run. */
export type OtherWeights = WeightSet | "fed";

export interface ProgramOptions {
  /** Tells the program from others of the same name. Default: its name. */
  readonly key?: string;
  /** Default: the checkpoint's. */
  readonly weights?: OtherWeights;
  /**
   * Compute what allows it in float16, or linear layers in 8 bits, if the engine was asked for that. For programs without
   * gradients. Default: false, so float32.
   */
  readonly approximate?: boolean;
  /** Bytes of tensors that stay in the engine beside the program's inputs and outputs, for the memory check. Default: 0. */
  readonly beside?: number;
}

/** Makes programs over the weights of a checkpoint, or over others for the same networks. */
export interface ProgramLoader {
  /** Compiles a graph over the weights of one network and loads it. */
  load(
    network: Network,
    name: string,
    outputs: Readonly<Record<string, Node>>,
    options: Omit<ProgramOptions, "key"> & { readonly signal?: AbortSignal },
  ): Promise<MeasuredSession>;
  /** True if a network is so large that little else fits into memory beside it, and that batches of it are no faster. */
  isLarge(network: Network): boolean;
  /** Facts about its programs that the model's user should know, as they come up. Absent: none. */
  readonly warnings?: readonly Warning[];
  /** Runs `work` and counts each of its runs as `times` runs. Absent if the loader does run programs. */
  countedAs?(times: number, work: () => Promise<void>): Promise<void>;
  /** Releases the weights. */
  close(): Promise<void>;
}

/** Number of batch rows that the programs of a network have computed. */
export interface Computed {
  /** Rows of programs without a gradient. A single row that is repeated counts twice. */
  readonly evaluations: number;
  /** Rows of programs with a gradient: each is an evaluation and its backward pass. */
  readonly gradients: number;
}

/** Programs of fewer bytes stay loaded when their phase is over: to load them again costs more than their memory. */
const smallProgram = 400e6;

interface Loaded {
  readonly network: Network;
  readonly session: Promise<MeasuredSession>;
  /** True if it maps other weights than the checkpoint's. */
  readonly mapsOther: boolean;
}

/** Numbers of the sets of other weights, to tell their programs apart. */
const numbers = new WeakMap<WeightSet, number>();
let count = 0;

function numberOf(weights: WeightSet): number {
  const number = numbers.get(weights) ?? count++;
  numbers.set(weights, number);
  return number;
}

/** The loaded programs of a model. Each is built once and kept until it is released. */
export class ProgramCache {
  private readonly loader: ProgramLoader;
  /** Running calls of `during` for each network. */
  private readonly scopes = new Map<Network, number>();
  private readonly counts = new Map<Network, Computed>();
  /** Runs that each run counts as. */
  private times = 1;
  private isClosed = false;
  private readonly loaded = new Map<string, Loaded>();

  constructor(loader: ProgramLoader) {
    this.loader = loader;
  }

  /**
   * Opens a program. Builds its graph with `build` and loads it, unless it is loaded. name: what errors call it.
   */
  open(
    network: Network,
    name: string,
    build: () => Record<string, Node>,
    signal?: AbortSignal,
    { key: own = name, ...options }: ProgramOptions = {},
  ): Promise<MeasuredSession> {
    const { weights } = options;
    const key = weights === undefined || weights === "fed" ? own : `${own}, weights ${numberOf(weights)}`;
    const findOrLoad = async (): Promise<MeasuredSession> => {
      this.requireOpen();
      const known = this.loaded.get(key);
      if (known) return known.session;
      const session = this.loadCounting(network, name, build(), { ...options, signal });
      this.loaded.set(key, { network, session, mapsOther: typeof weights === "object" });
      session.catch(() => this.loaded.delete(key));
      return session;
    };
    return sharedWork(findOrLoad, signal, `loading ${name}`);
  }

  /** Throws UsageError if the model is closed. */
  requireOpen(): void {
    if (this.isClosed) throw new UsageError("the model is closed", { advice: "Load it again." });
  }

  /** True if a network is so large that little else fits into memory beside it, and that batches of it are no faster. */
  isLarge(network: Network): boolean {
    return this.loader.isLarge(network);
  }

  /** Facts about programs that the model's user should know. More may come up as programs run. */
  get warnings(): readonly Warning[] {
    return this.loader.warnings ?? [];
  }

  /** Returns what the programs of a network have computed since the model was loaded. */
  computed(network: Network): Computed {
    return this.counts.get(network) ?? { evaluations: 0, gradients: 0 };
  }

  /** Loads a program that counts the rows of its finished runs. */
  private async loadCounting(
    network: Network,
    name: string,
    outputs: Record<string, Node>,
    options: Parameters<ProgramLoader["load"]>[3],
  ): Promise<MeasuredSession> {
    const kind = usesGradients(Object.values(outputs)) ? "gradients" : "evaluations";
    const session = await this.loader.load(network, name, outputs, options);
    const count = (rows: number): void => {
      const before = this.computed(network);
      this.counts.set(network, { ...before, [kind]: before[kind] + this.times * rows });
    };
    const counting: Pick<MeasuredSession, "run" | "runKeeping"> = {
      run: async (feeds, options) => {
        const outputs = await session.run(feeds, options);
        count(batchOfFeeds(session.inputs, feeds));
        return outputs;
      },
      runKeeping: async (feeds, keep, options) => {
        const results = await session.runKeeping(feeds, keep, options);
        count(batchOfFeeds(session.inputs, feeds));
        return results;
      },
    };
    // The other fields, the getter of `memory` among them, stay the session's own.
    return Object.assign(Object.create(session) as MeasuredSession, counting);
  }

  /**
   * Takes the steps from `from` up to `to`, which is left out. They run the same programs on as many rows. So a dry run takes
   * the first and the last step alone, and counts the first one for those between them.
   */
  async equalSteps(from: number, to: number, step: (k: number) => Promise<void>): Promise<void> {
    const last = to - 1;
    if (!this.loader.countedAs || last - from < 2) {
      for (let k = from; k < to; k++) await step(k);
      return;
    }
    this.times = last - from;
    try {
      await this.loader.countedAs(this.times, () => step(from));
    } finally {
      this.times = 1;
    }
    await step(last);
  }

  /**
   * Runs `work`, and then frees these networks' programs that are large or map other weights than the checkpoint's. Calls
   * may be nested: only the end of the outermost one of a network frees its programs. What is asked for again is loaded again.
   */
  async during<T>(networks: readonly Network[], work: () => Promise<T>): Promise<T> {
    for (const network of networks) this.scopes.set(network, (this.scopes.get(network) ?? 0) + 1);
    try {
      return await work();
    } finally {
      for (const network of networks) this.scopes.set(network, this.scopes.get(network)! - 1);
      const over = networks.filter((network) => this.scopes.get(network) === 0);
      await this.release(
        ({ network, mapsOther }, { memory }) => over.includes(network) && (mapsOther || memory > smallProgram),
      );
    }
  }

  /** Releases everything. `open` then throws UsageError. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.release(() => true);
    await this.loader.close();
  }

  private async release(chooses: (one: Loaded, session: MeasuredSession) => boolean): Promise<void> {
    const all = [...this.loaded].map(async ([name, one]) => {
      const session = await one.session.catch(() => undefined);
      if (!session || !chooses(one, session)) return;
      if (this.loaded.get(name) === one) this.loaded.delete(name);
      await session.release();
    });
    await Promise.all(all);
  }
}
