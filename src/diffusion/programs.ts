import { sharedWork } from "../core/index.ts";
import type { Node } from "../graph/index.ts";
import type { MeasuredSession } from "../runtime/index.ts";

/** The parts of a checkpoint that programs are made of. */
export type Part = "unet" | "vae" | "text";

/** Makes programs over the weights of a checkpoint. */
export interface ProgramLoader {
  /** Compiles a graph over the weights of one part and loads it. */
  load(
    part: Part,
    name: string,
    outputs: Readonly<Record<string, Node>>,
    signal?: AbortSignal,
  ): Promise<MeasuredSession>;
  /** Whether a part is so large that little else fits beside it, and that batches of it are no faster. */
  isLarge(part: Part): boolean;
  /** Lets go of the weights. */
  close(): Promise<void>;
}

/** Programs of a finished phase that take fewer bytes than this stay loaded: to load them again costs more. */
const smallProgram = 400e6;

/** The loaded programs of a model, each built once and kept until it is released. */
export class Programs {
  private readonly loader: ProgramLoader;
  private readonly loaded = new Map<string, { part: Part; session: Promise<MeasuredSession> }>();

  constructor(loader: ProgramLoader) {
    this.loader = loader;
  }

  /** The program `name`; `build` makes its graph where it is not loaded yet. */
  open(part: Part, name: string, build: () => Record<string, Node>, signal?: AbortSignal): Promise<MeasuredSession> {
    const findOrLoad = (): Promise<MeasuredSession> => {
      const known = this.loaded.get(name);
      if (known) return known.session;
      const session = this.loader.load(part, name, build(), signal);
      this.loaded.set(name, { part, session });
      session.catch(() => this.loaded.delete(name));
      return session;
    };
    return sharedWork(findOrLoad, signal, `loading ${name}`);
  }

  /** Whether a part is so large that little else fits beside it, and that batches of it are no faster. */
  isLarge(part: Part): boolean {
    return this.loader.isLarge(part);
  }

  /**
   * The phase that needed these parts is over: frees their memory where it is worth it. What is asked for again is
   * loaded again.
   */
  async finished(...parts: readonly Part[]): Promise<void> {
    await this.release((part, { memory }) => parts.includes(part) && memory > smallProgram);
  }

  async close(): Promise<void> {
    await this.release(() => true);
    await this.loader.close();
  }

  private async release(chooses: (part: Part, session: MeasuredSession) => boolean): Promise<void> {
    const all = [...this.loaded].map(async ([name, one]) => {
      const session = await one.session.catch(() => undefined);
      if (!session || !chooses(one.part, session)) return;
      if (this.loaded.get(name) === one) this.loaded.delete(name);
      await session.release();
    });
    await Promise.all(all);
  }
}
