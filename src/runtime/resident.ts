import { ResidentError, type Tensor } from "../core/index.ts";
import type { Feeds, Resident } from "./engine.ts";
import type { Host } from "./host.ts";
import type { EngineProcess } from "./process.ts";

let count = 0;

/** A tensor in the memory of an engine's process. */
export class EngineResident implements Resident {
  readonly id = count++;
  readonly shape: readonly number[];
  private readonly host: Host;
  private readonly process: EngineProcess;
  private released = false;

  constructor(host: Host, process: EngineProcess, shape: readonly number[]) {
    this.host = host;
    this.process = process;
    this.shape = shape;
  }

  async read(signal?: AbortSignal): Promise<Tensor> {
    return (await readResidents(this.host, [this], signal))[0];
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.process.drop(this.id);
  }

  /** Throws ResidentError if it is not in that process. name: the input that it is fed to. */
  requireIn(process: EngineProcess, name?: string): void {
    if (!this.released && this.process === process) return;
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
  residents: readonly EngineResident[],
  signal?: AbortSignal,
): Promise<Tensor[]> =>
  host.exclusive("reading tensors of the engine", signal, async (process) => {
    for (const one of residents) one.requireIn(process);
    const asked = { where: "tensors in the engine", problem: "cannot be read" };
    const request = { kind: "read", residents: residents.map(({ id }) => id) } as const;
    const { arrays } = await host.move(process, asked, request);
    return residents.map(({ shape }, i) => ({ shape, data: new Float32Array(arrays[i].buffer) }));
  });

export const isResident = (value: Feeds[string]): value is EngineResident => value instanceof EngineResident;
