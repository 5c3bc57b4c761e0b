import { type IntTensor, sizeOf, type Tensor, tensor } from "../core/index.ts";
import type { Model, Network, Size } from "../diffusion/index.ts";
import * as g from "../graph/index.ts";
import { clipText } from "../models/index.ts";
import type { Resident, Session } from "../runtime/index.ts";
import { memorySource, readTensor, type TensorRef, type WeightSet } from "../weights/index.ts";
import type { Examples } from "./examples.ts";
import { exampleFeeds, noiseLoss } from "./loss.ts";

/** Networks whose weights can be tuned. */
export type TunedNetwork = Extract<Network, "unet" | "text">;

export interface WeightTuningOptions {
  /** Networks to tune: the U-Net, and the text encoder if it is named too. */
  readonly networks: readonly ["unet"] | readonly ["unet", "text"];
  /** Examples in a step. */
  readonly batch: number;
  /** Decoupled weight decay (AdamW). 0: plain Adam. */
  readonly weightDecay: number;
}

/** Text of all examples: its embedding [1, L, D], or its tokens [1, L] if the text encoder is tuned. */
export type TrainingText = { readonly context: Tensor } | { readonly ids: IntTensor };

/** The parts of the state of a weight: the weight itself and Adam's two moments. */
const parts = ["value", "first", "second"] as const;
type Part = (typeof parts)[number];

/** Name of a part of a weight's state as an input of the graph, and as an output after the step. */
const inputOf = (weight: string, part: Part): string => (part === "value" ? weight : `${part} ${weight}`);
const outputOf = (weight: string, part: Part): string => `next ${inputOf(weight, part)}`;

/** Name of the set of weights that holds a part of the state: "unet", "unet.first", "unet.second". */
const setOf = (network: TunedNetwork, part: Part): string => (part === "value" ? network : `${network}.${part}`);

/** Returns the names of the sets that hold the state of tuning, each with its network. */
export const stateSets = (networks: readonly TunedNetwork[]): Readonly<Record<string, TunedNetwork>> =>
  Object.fromEntries(networks.flatMap((network) => parts.map((part) => [setOf(network, part), network])));

/** Bytes of weights that are on their way to the engine at once. */
const PORTION = 64e6;

const scalar = (value: number): Tensor => tensor([], Float32Array.of(value));

/**
 * Fine-tunes a U-Net, with or without its text encoder, on the loss of the noise prediction. Weights and moments stay in the
 * engine from step to step, and are lost if its process ends, as after a cancelled step. Then `start` again from saved sets.
 */
export class WeightTuning {
  private readonly model: Model;
  private readonly session: Session;
  private readonly weightDecay: number;
  private readonly names: ReadonlyMap<TunedNetwork, readonly string[]>;
  /** By the names of the graph's inputs. */
  private state = new Map<string, Resident>();

  constructor(model: Model, session: Session, { networks, weightDecay }: WeightTuningOptions) {
    this.model = model;
    this.session = session;
    this.weightDecay = weightDecay;
    this.names = new Map(networks.map((network) => [network, [...model.weightShapes(network).keys()]]));
  }

  /** Moves the state into the engine. saved: the sets of an earlier `state`. Default: the model's weights, moments 0. */
  async start(saved?: Readonly<Record<string, WeightSet>>, signal?: AbortSignal): Promise<void> {
    this.release();
    let waiting: { readonly name: string; readonly value: Tensor }[] = [];
    const put = async (): Promise<void> => {
      const made = await this.model.engine.put(
        waiting.map(({ value }) => value),
        signal,
      );
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
      if (bytes < PORTION) continue;
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
    const { weightDecay } = this;
    const { decay, ...scalars } = g.adamScalars(count, learningRate, { weightDecay });
    const all = { ...scalars, ...(weightDecay > 0 && { decay }) };
    const feeds = {
      ...text,
      ...exampleFeeds(this.model.unet, examples),
      ...Object.fromEntries(Object.entries(all).map(([name, value]) => [name, scalar(value)])),
      ...Object.fromEntries(this.state),
    };
    const entries = [...this.entries()];
    const keep = entries.map(({ name, part }) => outputOf(name, part));
    const { outputs, kept } = await this.session.runKeeping(feeds, keep, { outputs: ["loss"], finite: true, signal });
    this.release();
    for (const { name, part } of entries) this.state.set(inputOf(name, part), kept[outputOf(name, part)]);
    return outputs.loss.data[0];
  }

  /** Returns the sets of weights and moments. Their bytes are in the engine until they are read: read them before the next step. */
  sets(): Readonly<Record<string, WeightSet>> {
    const sets = Object.keys(stateSets([...this.names.keys()])).map(
      (set) => [set, new Map<string, TensorRef>()] as const,
    );
    const made = new Map(sets);
    for (const { network, name, part } of this.entries()) {
      made.get(setOf(network, part))!.set(name, residentRef(name, this.state.get(inputOf(name, part))!));
    }
    return Object.fromEntries(made);
  }

  /** Reads the weights of a network from the engine. */
  async weights(network: TunedNetwork, signal?: AbortSignal): Promise<WeightSet> {
    const shapes = this.model.weightShapes(network);
    const bytes = new Uint8Array([...shapes.values()].reduce((sum, shape) => sum + 4 * sizeOf(shape), 0));
    const source = memorySource(`tuned weights of ${this.model.name}`, bytes);
    const refs = new Map<string, TensorRef>();
    let offset = 0;
    for (const [name, shape] of shapes) {
      const { data } = await this.state.get(name)!.read(signal);
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
      refs.set(name, { name, dtype: "F32", shape, source, offset, length: data.byteLength });
      offset += data.byteLength;
    }
    return refs;
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

  private *entries(): Generator<{ network: TunedNetwork; name: string; part: Part }> {
    for (const [network, names] of this.names)
      for (const name of names) for (const part of parts) yield { network, name, part };
  }
}

/** A tensor of the engine as a place that is read when it is needed. */
function residentRef(name: string, resident: Resident): TensorRef {
  const length = 4 * sizeOf(resident.shape);
  const source = {
    name: `"${name}" in the engine`,
    size: length,
    read: async (offset: number, count: number) => {
      const { data } = await resident.read();
      return new Uint8Array(data.buffer, data.byteOffset + offset, count);
    },
  };
  return { name, dtype: "F32", shape: resident.shape, source, offset: 0, length };
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
  const { networks, batch, weightDecay } = options;
  const build = (): Record<string, g.Node> => tuningStep(model, size, options);
  const decay = weightDecay > 0 ? `, weight decay ${weightDecay}` : "";
  const name = `fine-tuning (${networks.join(", ")}) on ${batch} pictures of ${size.width}x${size.height}${decay}`;
  const session = await model.programs.open("unet", name, build, signal, { weights: "fed" });
  return new WeightTuning(model, session, options);
}

/** Builds the graph of one step. Weights and moments are inputs and outputs, so that they can stay in the engine. */
function tuningStep(
  model: Model,
  size: Size,
  { networks, batch, weightDecay }: WeightTuningOptions,
): Record<string, g.Node> {
  const { length, width } = model.text;
  const isTextTuned = networks.some((network) => network === "text");
  const context = isTextTuned
    ? clipText(model.text, g.input("ids", [1, length], "int64"))
    : g.input("context", [1, length, width]);
  const loss = noiseLoss(model, size, batch, context);
  const parameters = [...g.parametersOf([loss])];
  const gradients = g.gradients(
    loss,
    parameters.map(([, node]) => node),
  );
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
