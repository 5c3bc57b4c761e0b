import { sharedWork, UsageError } from "../core/index.ts";
import type { Node } from "../graph/index.ts";
import type { MeasuredSession } from "../runtime/index.ts";
import type { Network } from "./networks.ts";

/** Makes programs over the weights of a checkpoint. */
export interface ProgramLoader {
  /** Compiles a graph over the weights of one network and loads it. */
  load(
    network: Network,
    name: string,
    outputs: Readonly<Record<string, Node>>,
    signal?: AbortSignal,
  ): Promise<MeasuredSession>;
  /** True if a network is so large that little else fits into memory beside it, and that batches of it are no faster. */
  isLarge(network: Network): boolean;
  /** Releases the weights. */
  close(): Promise<void>;
}

/** Programs of fewer bytes stay loaded when their phase is over: to load them again costs more than their memory. */
const smallProgram = 400e6;

/** The loaded programs of a model. Each is built once and kept until it is released. */
export class ProgramCache {
  private readonly loader: ProgramLoader;
  /** Running calls of `during` for each network. */
  private readonly scopes = new Map<Network, number>();
  private isClosed = false;
  private readonly loaded = new Map<string, { network: Network; session: Promise<MeasuredSession> }>();

  constructor(loader: ProgramLoader) {
    this.loader = loader;
  }

  /**
   * Opens a program. Builds its graph with `build` and loads it, unless it is loaded. name: what errors call it; key: tells it
   * from other programs of the same name.
   */
  open(
    network: Network,
    name: string,
    build: () => Record<string, Node>,
    signal?: AbortSignal,
    key = name,
  ): Promise<MeasuredSession> {
    const findOrLoad = async (): Promise<MeasuredSession> => {
      if (this.isClosed) throw new UsageError("the model is closed", { advice: "Load it again." });
      const known = this.loaded.get(key);
      if (known) return known.session;
      const session = this.loader.load(network, name, build(), signal);
      this.loaded.set(key, { network, session });
      session.catch(() => this.loaded.delete(key));
      return session;
    };
    return sharedWork(findOrLoad, signal, `loading ${name}`);
  }

  /** True if a network is so large that little else fits into memory beside it, and that batches of it are no faster. */
  isLarge(network: Network): boolean {
    return this.loader.isLarge(network);
  }

  /**
   * Runs `work`, and then frees the large programs of these networks. Calls may be nested: only the end of the outermost one
   * of a network frees its programs. What is asked for again is loaded again.
   */
  async during<T>(networks: readonly Network[], work: () => Promise<T>): Promise<T> {
    for (const network of networks) this.scopes.set(network, (this.scopes.get(network) ?? 0) + 1);
    try {
      return await work();
    } finally {
      for (const network of networks) this.scopes.set(network, this.scopes.get(network)! - 1);
      const over = networks.filter((network) => this.scopes.get(network) === 0);
      await this.release((network, { memory }) => over.includes(network) && memory > smallProgram);
    }
  }

  /** Releases everything. `open` then throws UsageError. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.release(() => true);
    await this.loader.close();
  }

  private async release(chooses: (network: Network, session: MeasuredSession) => boolean): Promise<void> {
    const all = [...this.loaded].map(async ([name, one]) => {
      const session = await one.session.catch(() => undefined);
      if (!session || !chooses(one.network, session)) return;
      if (this.loaded.get(name) === one) this.loaded.delete(name);
      await session.release();
    });
    await Promise.all(all);
  }
}
