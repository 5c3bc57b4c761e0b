import { sharedWork } from "../core/index.ts";
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
  /** Whether a network is so large that little else fits into memory beside it, and that batches of it are no faster. */
  isLarge(network: Network): boolean;
  /** Releases the weights. */
  close(): Promise<void>;
}

/** Programs of fewer bytes stay loaded when their phase is over: to load them again costs more than their memory. */
const smallProgram = 400e6;

/** The loaded programs of a model. Each is built once and kept until it is released. */
export class ProgramCache {
  private readonly loader: ProgramLoader;
  private readonly loaded = new Map<string, { network: Network; session: Promise<MeasuredSession> }>();

  constructor(loader: ProgramLoader) {
    this.loader = loader;
  }

  /** Opens the program `name`. Builds its graph with `build` and loads it, unless it is loaded. */
  open(
    network: Network,
    name: string,
    build: () => Record<string, Node>,
    signal?: AbortSignal,
  ): Promise<MeasuredSession> {
    const findOrLoad = (): Promise<MeasuredSession> => {
      const known = this.loaded.get(name);
      if (known) return known.session;
      const session = this.loader.load(network, name, build(), signal);
      this.loaded.set(name, { network, session });
      session.catch(() => this.loaded.delete(name));
      return session;
    };
    return sharedWork(findOrLoad, signal, `loading ${name}`);
  }

  /** Whether a network is so large that little else fits into memory beside it, and that batches of it are no faster. */
  isLarge(network: Network): boolean {
    return this.loader.isLarge(network);
  }

  /** Releases large programs of these networks: the phase that needed them is over. They are loaded again if needed. */
  async finished(...networks: readonly Network[]): Promise<void> {
    await this.release((network, { memory }) => networks.includes(network) && memory > smallProgram);
  }

  async close(): Promise<void> {
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
