import { ResidentError, type Tensor } from "../../core/index.ts";
import type { Feeds, Resident } from "../engine.ts";
import type { EngineProcess } from "./childProcess.ts";
import type { Host } from "./host.ts";

let count = 0;

/** A tensor in the memory of a child process. */
export class NodeResident implements Resident {
  readonly id = count++;
  readonly shape: readonly number[];
  private readonly host: Host;
  private readonly child: EngineProcess;
  private released = false;

  constructor(host: Host, child: EngineProcess, shape: readonly number[]) {
    this.host = host;
    this.child = child;
    this.shape = shape;
  }

  async read(signal?: AbortSignal): Promise<Tensor> {
    return (await readResidents(this.host, [this], signal))[0];
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.child.drop(this.id);
  }

  /** Throws ResidentError if it is not in that process. name: the input that it is fed to. */
  requireIn(child: EngineProcess, name?: string): void {
    if (!this.released && this.child === child) return;
    throw new ResidentError("a tensor that was kept in the engine is lost", {
      where: name,
      found: this.released ? "it was released" : "its process has ended",
      advice: "Compute it again, or resume from the last checkpoint.",
    });
  }
}

/** Copies tensors out of the engine in one call. Throws ResidentError if one is lost. */
export const readResidents = (
  host: Host,
  residents: readonly NodeResident[],
  signal?: AbortSignal,
): Promise<Tensor[]> =>
  host.exclusive("reading tensors of the engine", signal, async (child) => {
    for (const one of residents) one.requireIn(child);
    const { arrays } = await child.request({ kind: "read", residents: residents.map(({ id }) => id) });
    return residents.map(({ shape }, i) => ({ shape, data: new Float32Array(arrays[i].buffer) }));
  });

export const isResident = (value: Feeds[string]): value is NodeResident => value instanceof NodeResident;
