import { EngineError, giveTurn, type Size, sizeOf, tensor } from "../core/index.ts";
import { type MappedWeight, type Node, type Program, usesGradients, withBatch } from "../graph/index.ts";
import {
  addEffort,
  batchOfFeeds,
  compileInTurns,
  type Device,
  type Effort,
  type Engine,
  effortOf,
  estimateMemory,
  largestValue,
  type MeasuredSession,
  type MemoryEstimate,
  noEffort,
  type Precision,
  type Probe,
  plainForm,
  type Resident,
  updatesInPlace,
} from "../runtime/index.ts";
import { loadTokenizer } from "../text/index.ts";
import type { Checkpoint, Component, WeightSet } from "../weights/index.ts";
import { Model, textLength } from "./model.ts";
import { isLarge, loadOptionsOf, type Network } from "./networks.ts";
import type { Platform } from "./platform.ts";
import type { Computed, ProgramLoader } from "./programs.ts";

/** Longest time without a turn for other work of this thread. */
const TURN_MS = 50;

/** A program, and what its runs with each number of rows take. */
interface Counted {
  readonly program: Program;
  /** Programs of equal groups share their mapped weights. */
  readonly group: Network | WeightSet;
  readonly byBatch: Map<number, { readonly memory: MemoryEstimate; readonly effort: Effort }>;
  /** The most so far. Absent if the program is not loaded. */
  held?: MemoryEstimate;
}

/** The device and precision for which work with a model is estimated. */
export interface DryRunPlace {
  /** Default "cpu". */
  readonly device?: Device;
  /** Default "float32". */
  readonly precision?: Precision;
  /** True if programs on a CPU map the weights of a file, and share them. False in a browser. Default true. */
  readonly sharesWeights?: boolean;
}

/** Loads nothing. Adds up the memory that loaded programs would take and what their runs do, and answers runs with zeros. */
class Account implements ProgramLoader {
  /** The most bytes so far: of the engine's process, and of the device's own memory. */
  peak = { memory: 0, deviceMemory: 0 };
  /** Bytes of the largest weight or value. */
  largest = 0;
  effort = noEffort;
  /** Runs that each run counts as. */
  private times = 1;
  private readonly programs = new Set<Counted>();
  /** Bytes of the tensors that are kept in the engine. */
  private resident = 0;
  private readonly checkpoint: Checkpoint;
  private readonly checkMemory?: (bytes: number) => void;
  private readonly on: Required<DryRunPlace>;
  /** Time of the last turn for other work of this thread. */
  private lastTurn = performance.now();

  constructor(checkpoint: Checkpoint, on: Required<DryRunPlace>, checkMemory?: (bytes: number) => void) {
    this.checkpoint = checkpoint;
    this.on = on;
    this.checkMemory = checkMemory;
  }

  isLarge(network: Network): boolean {
    return isLarge(this.checkpoint, network);
  }

  async load(
    network: Network,
    name: string,
    outputs: Readonly<Record<string, Node>>,
    { weights, approximate = false, beside }: Parameters<ProgramLoader["load"]>[3],
  ): Promise<MeasuredSession> {
    const { device, precision } = this.on;
    const half = approximate && precision === "float16";
    const bind = weights === "fed" ? () => "fed" as const : placeInOneFile(network, half);
    const program = await compileInTurns(outputs, {
      name,
      bind,
      half,
      roundsHalf: device === "cpu",
      ...plainForm(device),
    });
    const kind = !usesGradients(Object.values(outputs)) ? "forward" : weights === "fed" ? "tuning" : "gradient";
    const counted: Counted = { program, group: typeof weights === "object" ? weights : network, byBatch: new Map() };
    const options = loadOptionsOf(this.checkpoint, network);
    const count = (batch: number): Effort => {
      const known = counted.byBatch.get(batch);
      const { memory, effort } = known ?? {
        memory: estimateMemory(program, { ...options, beside, batch }),
        effort: effortOf(program, batch, kind),
      };
      counted.byBatch.set(batch, { memory, effort });
      if (!counted.held || counted.held.total < memory.total) counted.held = memory;
      this.programs.add(counted);
      this.largest = Math.max(this.largest, known ? 0 : largestValue(program, batch));
      const { memory: now, deviceMemory } = this.total();
      this.peak = {
        memory: Math.max(this.peak.memory, now),
        deviceMemory: Math.max(this.peak.deviceMemory, deviceMemory),
      };
      this.checkMemory?.(this.peak.memory);
      return effort;
    };
    const session: MeasuredSession = {
      name,
      inputs: program.inputs,
      outputs: program.outputs,
      get memory() {
        return counted.held ? counted.held.total - counted.held.process : 0;
      },
      checkBatch: () => undefined,
      run: async (feeds, { outputs } = {}) => {
        await this.giveTurn();
        const batch = batchOfFeeds(program.inputs, feeds);
        this.effort = addEffort(this.effort, count(batch), this.times);
        const wanted = program.outputs.filter(({ name }) => !outputs || outputs.includes(name));
        return Object.fromEntries(wanted.map((port) => [port.name, tensor(withBatch(port.shape, batch))]));
      },
      runKeeping: async (feeds, keep, { outputs = [] } = {}) => {
        const batch = batchOfFeeds(program.inputs, feeds);
        const shapes = new Map(program.outputs.map(({ name, shape }) => [name, withBatch(shape, batch)]));
        const kept = keep.map((name) => [name, this.keep(shapes.get(name)!)]);
        return { outputs: await session.run(feeds, { outputs }), kept: Object.fromEntries(kept) };
      },
      release: async () => {
        counted.held = undefined;
        this.programs.delete(counted);
      },
    };
    count(1);
    return session;
  }

  async countedAs(times: number, work: () => Promise<void>): Promise<void> {
    this.times = times;
    try {
      await work();
    } finally {
      this.times = 1;
    }
  }

  async close(): Promise<void> {
    this.programs.clear();
  }

  /** Lets other work run now and then: a dry run of thousands of steps takes seconds. */
  private async giveTurn(): Promise<void> {
    if (performance.now() < this.lastTurn + TURN_MS) return;
    await giveTurn(undefined);
    this.lastTurn = performance.now();
  }

  /** Counts a step of Adam, which reads weights, two moments and gradients, and writes all but the gradients. */
  update(weights: readonly Resident[]): void {
    const bytes = weights.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
    this.effort = addEffort(this.effort, { ...noEffort, moved: 7 * bytes }, this.times);
  }

  /** Counts a tensor that would be kept in the engine. Its values are zeros. */
  keep(shape: readonly number[]): Resident {
    const bytes = 4 * sizeOf(shape);
    let held = true;
    this.resident += bytes;
    return {
      shape,
      read: async () => tensor(shape),
      release: () => {
        if (held) this.resident -= bytes;
        held = false;
      },
    };
  }

  /**
   * Adds up all programs. They share the engine's process; on a CPU that maps files, also the weights of their group. Tensors in
   * the engine are the inputs and outputs of programs or beside them, so they count once. A device other than a CPU has weights and activations
   * in its own memory.
   */
  private total(): { memory: number; deviceMemory: number } {
    const all = [...this.programs].flatMap(({ group, held }) => (held ? [{ group, held }] : []));
    const groups = [...new Set(all.map(({ group }) => group))];
    const most = (values: readonly number[]): number => Math.max(0, ...values);
    const sum = (values: readonly number[]): number => values.reduce((total, n) => total + n, 0);
    const process = most(all.map(({ held }) => held.process));
    const perGroup = groups.map((group) =>
      most(all.filter((one) => one.group === group).map(({ held }) => held.mapped)),
    );
    const isCpu = this.on.device === "cpu";
    const mapped = sum(isCpu && this.on.sharesWeights ? perGroup : all.map(({ held }) => held.mapped));
    const operations = sum(all.map(({ held }) => held.operations));
    const computing = mapped + sum(all.map(({ held: { copied, activations } }) => copied + activations));
    const transfer = sum(all.map(({ held }) => held.transfer));
    if (!isCpu) return { memory: process + operations + transfer, deviceMemory: computing + this.resident };
    return { memory: process + operations + computing + Math.max(transfer, this.resident), deviceMemory: 0 };
  }
}

/** Places weights one after another in one file, as float32, or as float16 if the program computes in it. */
function placeInOneFile(network: Network, half: boolean): (name: string, shape: readonly number[]) => MappedWeight {
  let end = 0;
  const source = { name: network };
  const places = new Map<string, MappedWeight>();
  return (name, shape) => {
    const length = (half ? 2 : 4) * sizeOf(shape);
    const place = places.get(name) ?? { source, offset: end, length, half };
    if (!places.has(name)) end += length;
    places.set(name, place);
    return place;
  };
}

/** Returns weights of the same shapes that are all 0, so that nothing is read from a file. */
export function zeroWeights(weights: WeightSet): WeightSet {
  const read = async (_: number, length: number): Promise<Uint8Array> => new Uint8Array(length);
  return new Map([...weights].map(([name, ref]) => [name, { ...ref, source: { ...ref.source, read } }]));
}

function withoutWeights({ unet, vae, textEncoder, ...checkpoint }: Checkpoint): Checkpoint {
  const zeros = (part: Component): Component => ({ ...part, weights: zeroWeights(part.weights) });
  return { ...checkpoint, unet: zeros(unet), vae: zeros(vae), textEncoder: zeros(textEncoder) };
}

/** Returns an engine that runs nothing. */
const noEngine = (account: Account, { device, precision }: Required<DryRunPlace>): Engine => ({
  device,
  threads: 1,
  precision,
  linear: "float32",
  versions: { onnxruntime: "none" },
  traffic: { toEngine: 0, fromEngine: 0 },
  pid: undefined,
  load: () => Promise.reject(new EngineError("a dry run has no engine")),
  mapWeights: () => Promise.reject(new EngineError("a dry run maps no weights")),
  checkMemory: () => undefined,
  put: async (tensors) => tensors.map(({ shape }) => account.keep(shape)),
  adam: updatesInPlace(device)
    ? {
        put: async (tensors) => tensors.map(({ shape }) => account.keep(shape)),
        step: async (updates) => account.update(updates.map(({ value }) => value)),
      }
    : undefined,
  read: async (residents) => Promise.all(residents.map((one) => one.read())),
  close: async () => undefined,
});

/** Returns how to measure the speed of a model's U-Net for pictures of a size: on its second level, where most of the work is. */
export function speedProbe(model: Model, size: Size): Probe {
  const { checkpoint, unet } = model;
  const level = Math.min(1, unet.blocks.length - 1);
  const { channels, heads } = unet.blocks[level];
  const [height, width] = model
    .latentShape(size)
    .slice(2)
    .map((places) => Math.max(1, places >> level));
  return {
    size: { channels, groups: unet.groups, heads, tokens: model.text.length, height, width },
    load: loadOptionsOf(checkpoint, "unet"),
  };
}

/** The memory and the computations of work with a model. */
export interface DryRun {
  /** The most bytes of the engine's process at any moment. */
  readonly memory: number;
  /** The most bytes at any moment in the memory of a device that has its own. 0 on a CPU. */
  readonly deviceMemory: number;
  /** Bytes of the largest weight or value, for which a device needs a buffer. */
  readonly largestBuffer: number;
  /** All runs of all programs. */
  readonly effort: Effort;
  /** Those of the U-Net. */
  readonly computed: Computed;
}

export interface DryRunWork {
  /** Called with the most bytes so far before a program is used. It may throw to end the dry run. */
  readonly checkMemory?: (bytes: number) => void;
  /** Default: on a CPU that maps files. */
  readonly on?: DryRunPlace;
}

/**
 * Finds out what `use` takes if it works with the model. Networks are compiled and not run; their outputs are zeros. No weight is
 * read. soFar: returns what it took up to then. Throws CheckpointError if the parts of the checkpoint do not belong together, and
 * what `use` and `checkMemory` throw.
 */
export async function dryRun(
  checkpoint: Checkpoint,
  platform: Platform,
  use: (model: Model, soFar: () => DryRun) => Promise<unknown>,
  { checkMemory, on: { device = "cpu", precision = "float32", sharesWeights = true } = {} }: DryRunWork = {},
): Promise<DryRun> {
  const tokenizer = await loadTokenizer(checkpoint.tokenizer, {
    shipped: platform.merges,
    maxLength: textLength(checkpoint),
  });
  const on = { device, precision, sharesWeights };
  const account = new Account(checkpoint, on, checkMemory);
  const engine = noEngine(account, on);
  // All latents are 0, so a picture that the model has kept would serve for every other.
  const parts = {
    checkpoint: withoutWeights(checkpoint),
    tokenizer,
    engine,
    platform,
    loader: account,
    // Small programs, whose memory and work are small.
    arithmetic: "here" as const,
    picturesKept: 0,
  };
  const model = new Model(parts);
  const soFar = (): DryRun => {
    const { peak, largest: largestBuffer, effort } = account;
    return { ...peak, largestBuffer, effort, computed: model.programs.computed("unet") };
  };
  await use(model, soFar);
  return soFar();
}
