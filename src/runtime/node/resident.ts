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

  read(signal?: AbortSignal): Promise<Tensor> {
    return this.host.exclusive("reading a tensor of the engine", signal, async (child) => {
      this.requireIn(child);
      const { arrays } = await child.request({ kind: "read", resident: this.id });
      return { shape: this.shape, data: new Float32Array(arrays[0].buffer) };
    });
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

export const isResident = (value: Feeds[string]): value is NodeResident => value instanceof NodeResident;
