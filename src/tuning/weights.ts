import { type IntTensor, ResidentError, sizeOf, type Tensor, tensor } from "../core/index.ts";
import type { Model, Network, Size } from "../diffusion/index.ts";
import * as g from "../graph/index.ts";
import { clipText } from "../models/index.ts";
import type { Engine, Feeds, InPlaceAdam, Resident, Session } from "../runtime/index.ts";
import { type ByteSource, memorySource, readBytes, readTensor, type WeightSet } from "../weights/index.ts";
import type { Examples } from "./examples.ts";
import { exampleFeeds, type LossOptions, noiseLoss } from "./loss.ts";

/** Networks whose weights can be tuned. */
export type TunedNetwork = Extract<Network, "unet" | "text">;

export interface WeightTuningOptions extends LossOptions {
  /** Networks to tune: the U-Net, and the text encoder if it is named too. */
  readonly networks: readonly ["unet"] | readonly ["unet", "text"];
  /** Examples in a step. */
  readonly batch: number;
  /** Decoupled weight decay (AdamW). 0: plain Adam. */
  readonly weightDecay: number;
}

/** The parts of a model that tuning its weights needs. */
export type TunableModel = Pick<Model, "engine" | "name" | "text" | "unet" | "weightShapes" | "weights"> & {
  readonly programs: Pick<Model["programs"], "open">;
};

/** Text of all examples: its embedding [1, L, D], or its tokens [1, L] if the text encoder is tuned. */
export type TrainingText = { readonly context: Tensor } | { readonly ids: IntTensor };

/** The parts of the state of a weight: the weight itself and Adam's two moments. */
const parts = ["value", "first", "second"] as const;
type Part = (typeof parts)[number];

/** Returns the name of a part of a weight's state as an input of the graph, and as an output after the step. */
const inputOf = (weight: string, part: Part): string => (part === "value" ? weight : `${part} ${weight}`);
const outputOf = (weight: string, part: Part): string => `next ${inputOf(weight, part)}`;
/** Returns the name of a weight's gradient as an output, if the engine takes Adam's step after the run. */
const gradientOf = (weight: string): string => `gradient ${weight}`;

/** Returns the name of the set of weights that holds a part of the state: "unet", "unet.first", "unet.second". */
const setOf = (network: TunedNetwork, part: Part): string => (part === "value" ? network : `${network}.${part}`);

/** Returns the names of the sets that hold the state of tuning, each with its network. */
export const stateSets = (networks: readonly TunedNetwork[]): Readonly<Record<string, TunedNetwork>> =>
  Object.fromEntries(networks.flatMap((network) => parts.map((part) => [setOf(network, part), network])));

/** Bytes of weights that are on their way to the engine, or from it, at once. */
const PORTION = 64e6;

const scalar = (value: number): Tensor => tensor([], Float32Array.of(value));

/**
 * Fine-tunes a U-Net, with or without its text encoder, on the loss of the noise prediction. Weights and moments stay in the
 * engine from step to step, and are lost if its process ends, as after a cancelled step. Then `start` again from saved sets.
 */
export class WeightTuning {
  private readonly model: TunableModel;
  private readonly session: Session;
  private readonly options: WeightTuningOptions;
  /** Absent if Adam is part of the program. */
  private readonly adam: InPlaceAdam | undefined;
  private readonly names: ReadonlyMap<TunedNetwork, readonly string[]>;
  /** By the names of the graph's inputs. */
  private state = new Map<string, Resident>();
  /** Steps taken. */
  private taken = 0;

  constructor(model: TunableModel, session: Session, options: WeightTuningOptions) {
    this.model = model;
    this.session = session;
    this.options = options;
    this.adam = model.engine.adam;
    this.names = new Map(options.networks.map((network) => [network, [...model.weightShapes(network).keys()]]));
  }

  /** Moves the state into the engine. saved: the sets of an earlier `state`. Default: the model's weights, moments 0. */
  async start(saved?: Readonly<Record<string, WeightSet>>, signal?: AbortSignal): Promise<void> {
    this.release();
    let waiting: { readonly name: string; readonly value: Tensor }[] = [];
    const put = async (): Promise<void> => {
      const values = waiting.map(({ value }) => value);
      const made = await (this.adam ?? this.model.engine).put(values, signal);
      for (const [i, { name }] of waiting.entries()) this.state.set(name, made[i]);
      waiting = [];
    };
    let bytes = 0;
    for (const { network, name, part } of this.entries()) {
      const ref = (
        saved ? saved[setOf(network, part)] : part === "value" ? this.model.weights(network) : undefined
      )?.get(name);
      const value = ref ? await readTensor(ref) : tensor(this.model.weightShapes(network).get(name)!);
      waiting.push({ name: inputOf(name, part), value });
      bytes += value.data.byteLength;
      // A weight and its moments are put together.
      if (bytes < PORTION || part !== parts.at(-1)) continue;
      await put();
      bytes = 0;
    }
    await put();
  }

  /**
   * Takes step `count` of Adam, counted from 1. Returns the loss before it. Throws NumericError, CancelledError, and
   * ResidentError if the engine has lost the state.
   */
  async step(
    count: number,
    learningRate: number,
    text: TrainingText,
    examples: Examples,
    signal?: AbortSignal,
  ): Promise<number> {
    const { weightDecay } = this.options;
    const feeds = { ...text, ...exampleFeeds(this.model.unet, examples, this.options) };
    if (!this.adam) return this.wholeStep(feeds, g.adamScalars(count, learningRate, { weightDecay }), signal);
    const names = [...this.names.values()].flat();
    const stateOf = (name: string, part: Part): Resident => this.state.get(inputOf(name, part))!;
    const { loss, kept } = await this.run(
      { ...feeds, ...Object.fromEntries(names.map((name) => [name, stateOf(name, "value")])) },
      names.map(gradientOf),
      signal,
    );
    const updates = names.map((name) => ({
      value: stateOf(name, "value"),
      first: stateOf(name, "first"),
      second: stateOf(name, "second"),
      gradient: kept[gradientOf(name)],
    }));
    this.taken++;
    await this.adam.step(updates, count, learningRate, { weightDecay }, signal);
    for (const { gradient } of updates) gradient.release();
    return loss;
  }

  /** Takes a step whose program contains Adam. */
  private async wholeStep(
    feeds: Feeds,
    { decay, ...scalars }: ReturnType<typeof g.adamScalars>,
    signal?: AbortSignal,
  ): Promise<number> {
    const all = { ...scalars, ...(this.options.weightDecay > 0 && { decay }) };
    const entries = [...this.entries()];
    const { loss, kept } = await this.run(
      {
        ...feeds,
        ...Object.fromEntries(Object.entries(all).map(([name, value]) => [name, scalar(value)])),
        ...Object.fromEntries(this.state),
      },
      entries.map(({ name, part }) => outputOf(name, part)),
      signal,
    );
    this.release();
    for (const { name, part } of entries) this.state.set(inputOf(name, part), kept[outputOf(name, part)]);
    return loss;
  }

  private async run(feeds: Feeds, keep: readonly string[], signal?: AbortSignal) {
    const { outputs, kept } = await this.session.runKeeping(feeds, keep, { outputs: ["loss"], finite: true, signal });
    return { loss: outputs.loss.data[0], kept };
  }

  /**
   * Returns the sets of weights and moments. Their bytes are in the engine until they are read: read them before the next step.
   * Reading them later throws ResidentError.
   */
  sets(): Readonly<Record<string, WeightSet>> {
    const sets = [...this.names.keys()].flatMap((network) => parts.map((part) => [network, part] as const));
    return Object.fromEntries(sets.map(([network, part]) => [setOf(network, part), this.setInEngine(network, part)]));
  }

  /** Reads the weights of a network from the engine. */
  async weights(network: TunedNetwork): Promise<WeightSet> {
    const set = this.setInEngine(network, "value");
    const refs = [...set.values()];
    const bytes = new Uint8Array(refs.reduce((sum, { length }) => sum + length, 0));
    for (const ref of refs) bytes.set(await readBytes(ref), ref.offset);
    const source = memorySource(`tuned weights of ${this.model.name}`, bytes);
    return new Map(refs.map((ref) => [ref.name, { ...ref, source }]));
  }

  /** Embeds a prompt's tokens [1, L] by the tuned text encoder, [1, L, D]. */
  async embed(ids: IntTensor, signal?: AbortSignal): Promise<Tensor> {
    const build = () => ({ hidden: clipText(this.model.text, g.input("ids", [...ids.shape], "int64")) });
    const session = await this.model.programs.open("text", "tuned text encoder", build, signal, { weights: "fed" });
    const weights = this.names.get("text")!.map((name) => [name, this.state.get(name)!]);
    return (await session.run({ ids, ...Object.fromEntries(weights) }, { finite: true, signal })).hidden;
  }

  /** Frees the state in the engine. */
  release(): void {
    for (const one of this.state.values()) one.release();
    this.state.clear();
  }

  private setInEngine(network: TunedNetwork, part: Part): WeightSet {
    const residents = this.names.get(network)!.map((name) => [name, this.state.get(inputOf(name, part))!] as const);
    const now = this.taken;
    return inEngine(this.model.engine, setOf(network, part), residents, () => this.taken === now);
  }

  private *entries(): Generator<{ network: TunedNetwork; name: string; part: Part }> {
    for (const [network, names] of this.names)
      for (const name of names) for (const part of parts) yield { network, name, part };
  }
}

/**
 * Weights in the engine as places that are read when they are needed. They are read in portions, in one call each, and the
 * last portion stays in memory. isCurrent: false if they have changed since.
 */
function inEngine(
  engine: Engine,
  name: string,
  residents: readonly (readonly [string, Resident])[],
  isCurrent: () => boolean,
): WeightSet {
  const portions: { from: number; to: number; readonly residents: Resident[] }[] = [];
  const places: { readonly name: string; readonly shape: readonly number[]; offset: number; length: number }[] = [];
  let end = 0;
  for (const [weight, resident] of residents) {
    const length = 4 * sizeOf(resident.shape);
    places.push({ name: weight, shape: resident.shape, offset: end, length });
    const last = portions.at(-1);
    if (last && end + length - last.from <= PORTION) {
      last.residents.push(resident);
      last.to += length;
    } else portions.push({ from: end, to: end + length, residents: [resident] });
    end += length;
  }
  let loaded: { readonly from: number; readonly to: number; readonly bytes: Uint8Array } | undefined;
  const source: ByteSource = {
    name: `${name} in the engine`,
    size: end,
    read: async (offset, length) => {
      if (!isCurrent()) {
        throw new ResidentError("weights in the engine have changed", {
          where: name,
          advice: "Read the sets of a state before the next step.",
        });
      }
      const portion = portions.find(({ from, to }) => offset >= from && offset + length <= to)!;
      if (loaded?.from !== portion.from) {
        const bytes = new Uint8Array(portion.to - portion.from);
        let at = 0;
        for (const { data } of await engine.read(portion.residents)) {
          bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
          at += data.byteLength;
        }
        loaded = { from: portion.from, to: portion.to, bytes };
      }
      return loaded.bytes.subarray(offset - portion.from, offset - portion.from + length);
    },
  };
  return new Map(places.map((place) => [place.name, { ...place, dtype: "F32", source }]));
}

/**
 * Opens a step of fine-tuning for pictures of a size: the loss, its gradient to every weight, and Adam. Throws MemoryError
 * with an estimate, before any weight is loaded, if weights, moments and activations do not fit into the free memory.
 */
export async function openWeightTuning(
  model: Model,
  size: Size,
  options: WeightTuningOptions,
  signal?: AbortSignal,
): Promise<WeightTuning> {
  const { networks, batch, weightDecay, positions, cleanLoss = 0 } = options;
  const inPlace = model.engine.adam !== undefined;
  const build = (): Record<string, g.Node> => tuningStep(model, size, { ...options, inPlace });
  const terms = [
    ...(weightDecay > 0 ? [`weight decay ${weightDecay}`] : []),
    ...(positions ? ["positions"] : []),
    ...(cleanLoss > 0 ? [`clean loss ${cleanLoss}`] : []),
  ];
  const pictures = `${batch} pictures of ${size.width}x${size.height}`;
  const name = [`fine-tuning (${networks.join(", ")}) on ${pictures}`, ...terms].join(", ");
  // The weights are inputs of the program. Their moments are, too, if it contains Adam.
  const beside = inPlace ? 2 * bytesOf(model, networks) : 0;
  const session = await model.programs.open("unet", name, build, signal, { weights: "fed", beside });
  return new WeightTuning(model, session, options);
}

/** Returns a value without the last change of its shape, which would copy an output. Adam does not look at shapes. */
const unshaped = (x: g.Node): g.Node => (x.op.name === "reshape" ? unshaped(x.inputs[0]) : x);

/** Returns the bytes of the weights of networks. */
const bytesOf = (model: Pick<Model, "weightShapes">, networks: readonly TunedNetwork[]): number =>
  networks
    .flatMap((network) => [...model.weightShapes(network).values()])
    .reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);

/**
 * Builds the graph of one step. Its inputs are the weights, its outputs the loss and the gradients, if Adam changes the weights
 * in place. Else it contains Adam: weights and moments are inputs and outputs, so that they can stay in the engine.
 */
export function tuningStep(
  model: Pick<Model, "latentShape" | "text" | "unet">,
  size: Size,
  { networks, batch, weightDecay, inPlace, ...terms }: WeightTuningOptions & { readonly inPlace: boolean },
): Record<string, g.Node> {
  const { length, width } = model.text;
  const isTextTuned = networks.some((network) => network === "text");
  const context = isTextTuned
    ? clipText(model.text, g.input("ids", [1, length], "int64"))
    : g.input("context", [1, length, width]);
  const loss = noiseLoss(model, size, batch, context, terms);
  const parameters = [...g.parametersOf([loss])];
  const gradients = g.gradients(
    loss,
    parameters.map(([, node]) => node),
  );
  if (inPlace) {
    const outputs = parameters.map(([name], i) => [gradientOf(name), unshaped(gradients[i])]);
    return { loss, ...Object.fromEntries(outputs) };
  }
  const [rate, eps, decay] = ["rate", "eps", "decay"].map((name) => g.input(name, []));
  const outputs: Record<string, g.Node> = { loss };
  for (const [i, [name, value]] of parameters.entries()) {
    const moment = (part: Part): g.Node => g.input(inputOf(name, part), value.shape);
    const state = { value, first: moment("first"), second: moment("second") };
    const next = g.adamStep(state, gradients[i], { rate, eps, decay }, { weightDecay });
    for (const part of parts) outputs[outputOf(name, part)] = next[part];
  }
  return outputs;
}
