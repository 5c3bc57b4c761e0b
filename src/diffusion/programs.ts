import { sharedWork } from "../core/index.ts";
import type { Node } from "../graph/index.ts";
import type { Session } from "../runtime/index.ts";

/** The parts of a checkpoint that programs are made of. */
export type Part = "unet" | "vae" | "text";

/** Makes programs over the weights of a checkpoint. */
export interface ProgramLoader {
  /** Compiles a graph over the weights of one part and loads it. */
  load(part: Part, name: string, outputs: Readonly<Record<string, Node>>, signal?: AbortSignal): Promise<Session>;
  /** Whether a part is so large that its programs should not outlive the phase that needs them. */
  isLarge(part: Part): boolean;
  /** Lets go of the weights. */
  close(): Promise<void>;
}

/** The loaded programs of a model, each built once and kept until it is released. */
export class Programs {
  private readonly loader: ProgramLoader;
  private readonly loaded = new Map<string, { part: Part; session: Promise<Session> }>();

  constructor(loader: ProgramLoader) {
    this.loader = loader;
  }

  /** The program `name`; `build` makes its graph where it is not loaded yet. */
  open(part: Part, name: string, build: () => Record<string, Node>, signal?: AbortSignal): Promise<Session> {
    const findOrLoad = (): Promise<Session> => {
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
    await this.release((part) => parts.includes(part) && this.loader.isLarge(part));
  }

  async close(): Promise<void> {
    await this.release(() => true);
    await this.loader.close();
  }

  private async release(chooses: (part: Part) => boolean): Promise<void> {
    const chosen = [...this.loaded].filter(([, { part }]) => chooses(part));
    for (const [name] of chosen) this.loaded.delete(name);
    await Promise.all(chosen.map(async ([, { session }]) => (await session.catch(() => undefined))?.release()));
  }
}
