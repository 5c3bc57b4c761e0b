import { type IntTensor, ResidentError, type Tensor } from "../core/index.ts";
import { adamNumbers } from "../graph/index.ts";
import type { AdamUpdate, Feeds, InPlaceAdam, Resident } from "./engine.ts";
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

/** Returns the bytes of a tensor as they are sent: float32, or int64 for whole numbers. */
export function bytesOf({ data }: Tensor | IntTensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = data instanceof Float32Array ? data : BigInt64Array.from(data, BigInt);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Copies tensors into the engine in one call. together: into one memory, where Adam can change them. Default: false. */
export const putTensors = (
  host: Host,
  tensors: readonly Tensor[],
  { together, signal }: { readonly together?: boolean; readonly signal?: AbortSignal },
): Promise<EngineResident[]> =>
  host.exclusive("moving tensors into the engine", signal, async (process) => {
    const made = tensors.map(({ shape }) => new EngineResident(host, process, shape));
    const heads = made.map(({ id, shape }) => ({ name: "", dtype: "float32" as const, shape, resident: id }));
    const asked = { where: "tensors", problem: "cannot be moved into the engine" };
    await host.move(process, asked, { kind: "put", tensors: heads, together }, tensors.map(bytesOf));
    return made;
  });

/** Returns Adam on tensors in the memory of an engine's process. */
export const inPlaceAdam = (host: Host): InPlaceAdam => ({
  put: (tensors, signal) => putTensors(host, tensors, { together: true, signal }),
  step: (updates, t, learningRate, options, signal) =>
    host.exclusive("updating weights in the engine", signal, async (process) => {
      const idOf = (one: Resident): number => {
        (one as EngineResident).requireIn(process);
        return (one as EngineResident).id;
      };
      const ids = updates.map(
        ({ value, first, second, gradient }): AdamUpdate<number> => ({
          value: idOf(value),
          first: idOf(first),
          second: idOf(second),
          gradient: idOf(gradient),
        }),
      );
      const asked = { where: "weights in the engine", problem: "cannot be updated" };
      await host.move(process, asked, { kind: "adam", updates: ids, numbers: adamNumbers(t, learningRate, options) });
    }),
});

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
