import { EngineError, sizeOf, type Tensor, tensor } from "../../core/index.ts";
import { type MappedWeight, type Node, type Program, withBatch } from "../../graph/index.ts";
import {
  batchOfFeeds,
  compileInTurns,
  type Engine,
  estimateMemory,
  type MeasuredSession,
  type MemoryEstimate,
  type Resident,
} from "../../runtime/index.ts";
import { openPackageFile } from "../../storage/node/index.ts";
import { CLIP_MERGES, loadTokenizer } from "../../text/index.ts";
import type { Checkpoint } from "../../weights/index.ts";
import { Model, textLength } from "../model.ts";
import { isLarge, loadOptionsOf, type Network } from "../networks.ts";
import type { ProgramLoader } from "../programs.ts";

/** Loads nothing. Adds up the memory that loaded programs would take, and answers every run with zeros. */
class Account implements ProgramLoader {
  /** The most bytes so far. */
  peak = 0;
  private readonly held = new Map<MeasuredSession, { network: Network; estimate: MemoryEstimate }>();
  /** Bytes of the tensors that are kept in the engine. */
  private resident = 0;
  private readonly checkpoint: Checkpoint;

  constructor(checkpoint: Checkpoint) {
    this.checkpoint = checkpoint;
  }

  isLarge(network: Network): boolean {
    return isLarge(this.checkpoint, network);
  }

  async load(
    network: Network,
    name: string,
    outputs: Readonly<Record<string, Node>>,
    { weights }: Parameters<ProgramLoader["load"]>[3],
  ): Promise<MeasuredSession> {
    const bind = weights === "fed" ? () => "fed" as const : placeInOneFile(network);
    const program = await compileInTurns(outputs, { name, bind });
    const held = this.held;
    const session: MeasuredSession = {
      name,
      inputs: program.inputs,
      outputs: program.outputs,
      get memory() {
        const estimate = held.get(session)?.estimate;
        return estimate ? estimate.total - estimate.process : 0;
      },
      checkBatch: () => undefined,
      run: async (feeds) => {
        const batch = batchOfFeeds(program.inputs, feeds);
        this.hold(session, network, program, batch);
        return Object.fromEntries(program.outputs.map((port) => [port.name, zeros(port.shape, batch)]));
      },
      runKeeping: async (feeds, keep, options) => {
        const outputs = await session.run(feeds, options);
        const kept = keep.map((name) => [name, this.keep(outputs[name].shape)]);
        return { outputs, kept: Object.fromEntries(kept) };
      },
      release: async () => {
        this.held.delete(session);
      },
    };
    this.hold(session, network, program, 1);
    return session;
  }

  async close(): Promise<void> {
    this.held.clear();
  }

  /** Counts a tensor that would be kept in the engine. Its values are zeros. */
  keep(shape: readonly number[]): Resident {
    const bytes = 4 * sizeOf(shape);
    let held = true;
    this.resident += bytes;
    this.peak = Math.max(this.peak, this.total());
    return {
      shape,
      read: async () => tensor(shape),
      release: () => {
        if (held) this.resident -= bytes;
        held = false;
      },
    };
  }

  private hold(session: MeasuredSession, network: Network, program: Program, batch: number): void {
    const estimate = estimateMemory(program, { ...loadOptionsOf(this.checkpoint, network), batch });
    const before = this.held.get(session)?.estimate;
    if (!before || before.total < estimate.total) this.held.set(session, { network, estimate });
    this.peak = Math.max(this.peak, this.total());
  }

  /** Adds up all programs. They share the engine's process, and the mapped weights of their network. */
  private total(): number {
    const all = [...this.held.values()];
    const networks = [...new Set(all.map(({ network }) => network))];
    const most = (values: readonly number[]): number => Math.max(0, ...values);
    const mapped = networks.map((network) =>
      most(all.filter((one) => one.network === network).map((one) => one.estimate.mapped)),
    );
    const own = all.map(
      ({ estimate: { operations, copied, activations, transfer } }) => operations + copied + activations + transfer,
    );
    const engine = this.resident + most(all.map(({ estimate }) => estimate.process));
    return [...mapped, ...own].reduce((sum, n) => sum + n, engine);
  }
}

/** Places weights one after another in one file, as float32. */
function placeInOneFile(network: Network): (name: string, shape: readonly number[]) => MappedWeight {
  let end = 0;
  const source = { name: network };
  const places = new Map<string, MappedWeight>();
  return (name, shape) => {
    const length = 4 * shape.reduce((n, d) => n * d, 1);
    const place = places.get(name) ?? { source, offset: end, length };
    if (!places.has(name)) end += length;
    places.set(name, place);
    return place;
  };
}

const zeros = (shape: Program["outputs"][number]["shape"], batch: number): Tensor => tensor(withBatch(shape, batch));

/** An engine that runs nothing. */
const noEngine = (account: Account): Engine => ({
  device: "cpu",
  threads: 1,
  versions: { onnxruntime: "none" },
  pid: undefined,
  load: () => Promise.reject(new EngineError("a dry run has no engine")),
  checkMemory: () => undefined,
  put: async (tensors) => tensors.map(({ shape }) => account.keep(shape)),
  read: async (residents) => Promise.all(residents.map((one) => one.read())),
  close: async () => undefined,
});

/**
 * Estimates the memory that the engine takes on a CPU while `use` works with the model: the most bytes at any moment.
 * Networks are compiled and not run; their outputs are zeros. Throws CheckpointError if the parts of the checkpoint do not
 * belong together.
 */
export async function peakMemory(checkpoint: Checkpoint, use: (model: Model) => Promise<unknown>): Promise<number> {
  const tokenizer = await loadTokenizer(checkpoint.tokenizer, {
    shipped: () => openPackageFile(CLIP_MERGES),
    maxLength: textLength(checkpoint),
  });
  const account = new Account(checkpoint);
  await use(new Model({ checkpoint, tokenizer, engine: noEngine(account), loader: account }));
  return account.peak;
}
