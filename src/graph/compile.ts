import { GraphError, shapeText, sizeOf } from "../core/index.ts";
import { cutChannels } from "./cutChannels.ts";
import { type ExternalData, OnnxModel } from "./onnx.ts";
import {
  isConstant,
  isInput,
  isParameter,
  type Node,
  nameOf,
  type PortDType,
  type Target,
  type Traits,
} from "./operation.ts";
import { inOrder } from "./order.ts";
import {
  expand,
  flipKernels,
  implementation,
  inHalf,
  narrowLinear,
  roundHalf,
  roundLinear,
  shareEqual,
  type View,
  verify,
  viewOf,
} from "./passes.ts";
import { type Shape, sameShape } from "./shape.ts";

/** An input or output of a program. */
export interface Port {
  name: string;
  shape: Shape;
  dtype: PortDType;
}

/** A source of weights: a file, or bytes in a browser. Only the platform that runs the program knows how to open it. */
export interface WeightSource {
  /** Its path, as the user knows it. */
  readonly name: string;
}

/** The place of a weight: a range of bytes in a source, row-major. */
export interface MappedWeight {
  source: WeightSource;
  /** Its numbers are float16, which take less memory if the program computes in it. Default: float32. */
  half?: boolean;
  /** First byte, from the start of the source. */
  offset: number;
  /** Bytes in all. */
  length: number;
}

/** The numbers of a parameter: at a place in a source, or fed at every run. */
export type Binding = MappedWeight | "fed";

/** A compiled graph: an ONNX model whose weights stay where they are. */
export interface Program {
  name: string;
  model: Uint8Array;
  /** The sources of its weights, by their names in the model. */
  sources: ReadonlyMap<string, WeightSource>;
  inputs: readonly Port[];
  outputs: readonly Port[];
  /** The graph after all rewriting, for memory estimates. */
  graph: readonly Node[];
  /** Places of the parameters that are mapped. */
  weights: readonly MappedWeight[];
}

export interface CompileOptions {
  name: string;
  target?: Target;
  /** Returns where a parameter comes from. */
  bind: (parameter: string, shape: readonly number[]) => Binding;
  /**
   * Bytes of convolution kernels that may be copied to make gradients faster: see flipKernels. Default 300 MB: enough for
   * the layers of a Stable Diffusion U-Net with the largest pictures, and for all layers of a small model.
   */
  kernelCopies?: number;
  /**
   * Compute in float16 what allows it. Inputs and outputs stay float32. Meant for programs without gradients. Default: false.
   */
  half?: boolean;
  /** With `half`, compute in float32 and round every result that would be float16: for a device without kernels for float16. */
  roundsHalf?: boolean;
  /** Compute linear layers over mapped weights in 8 bits: see `linearInt8`. For programs without gradients. Default: false. */
  int8?: boolean;
  /** Traits of a device that has no kernels of its own for these graphs. Default of each: that of `leastTraits`. */
  traits?: Partial<Traits>;
}

/** Inputs and outputs are never float16. */
const portOf = (name: string, { shape, dtype }: Node): Port => ({ name, shape, dtype: dtype as PortDType });

/** The traits that every WebGPU device has: buffers of 128 MiB, here for as many as 8 rows. */
export const leastTraits: Traits = { buffer: 128 * 2 ** 20, rows: 8, fusedAttention: false };

/**
 * Writes the graph of `outputs` as one ONNX program. The graph is verified, rewritten for the target, equal values are
 * shared, and the result is verified again. Throws GraphError if the graph is invalid or a weight has too few or too many
 * bytes for its shape.
 */
export function compile(outputs: Readonly<Record<string, Node>>, options: CompileOptions): Program {
  const stages = compileInStages(outputs, options);
  let stage = stages.next();
  while (!stage.done) stage = stages.next();
  return stage.value;
}

/** As `compile`, but yields between its stages: a large gradient takes a second, and the thread may have other work. */
export function* compileInStages(
  outputs: Readonly<Record<string, Node>>,
  {
    name,
    target = "ort",
    bind,
    kernelCopies = 300e6,
    half = false,
    roundsHalf = false,
    int8 = false,
    traits,
  }: CompileOptions,
): Generator<void, Program, void> {
  verify(outputs);
  yield;
  const names = Object.keys(outputs);
  const bindings = new Map<string, Binding>();
  const bindingOf = (node: Node): Binding => {
    const known = bindings.get(nameOf(node)) ?? bind(nameOf(node), node.shape as number[]);
    bindings.set(nameOf(node), known);
    return known;
  };
  const isMapped = (node: Node): boolean => isParameter(node) && bindingOf(node) !== "fed";
  const asked = shareEqual(Object.values(outputs));
  const wanted = int8 ? roundLinear(asked, isMapped) : asked;
  yield;
  const fast = target === "ort" ? flipKernels(wanted, kernelCopies, isMapped) : narrowLinear(wanted, isMapped);
  yield;
  const allTraits = { ...leastTraits, ...traits };
  const typed = half ? inHalf(fast) : fast;
  const expanded = expand(target === "ort" ? typed : cutChannels(typed, allTraits), target, allTraits);
  yield;
  const values = shareEqual(half && roundsHalf ? roundHalf(expanded) : expanded);
  yield;
  verify(Object.fromEntries(names.map((key, i) => [key, values[i]])));
  yield;

  const model = new OnnxModel();
  const written = new Map<Node, string>();
  const inputs: Port[] = [];
  const sources = new SourceNames();

  const feed = (node: Node): string => {
    const port = portOf(nameOf(node), node);
    inputs.push(port);
    return model.input(port.name, port.shape, port.dtype);
  };
  const external = new Map<string, string>();
  /** Adds a weight, or a part of one, as it lies in its source. */
  const map = ({ weight, shape, from }: View): string => {
    const { source, half: isHalf, offset, length } = bindingOf(weight) as MappedWeight;
    const bytes = isHalf ? 2 : 4;
    const id = nameOf(weight);
    if (length !== bytes * sizeOf(weight.shape as number[])) {
      throw new GraphError("the bytes of a weight do not fill its shape", {
        where: id,
        found: `${length} bytes for ${shapeText(weight.shape)}`,
      });
    }
    const key = sameShape(shape, weight.shape) ? id : `${id} as ${shapeText(shape)} from ${from}`;
    const size = bytes * sizeOf(shape as number[]);
    const data: ExternalData = { location: sources.nameOf(source), offset: offset + bytes * from, length: size };
    const name = external.get(key) ?? model.external(key, shape as number[], isHalf ? "float16" : "float32", data);
    external.set(key, name);
    return name;
  };
  /** Returns the view of a weight that is mapped. */
  const mappedView = (node: Node): View | undefined => {
    const view = isParameter(node) ? { weight: node, shape: node.shape, dtype: node.dtype, from: 0 } : viewOf(node);
    return view && isMapped(view.weight) ? view : undefined;
  };
  /** Returns the name of a value. A mapped weight is added when it is first read, in the form in which it is read. */
  const inModel = (node: Node): string => {
    const known = written.get(node);
    if (known !== undefined) return known;
    const view = mappedView(node)!;
    const isHalf = (bindingOf(view.weight) as MappedWeight).half ?? false;
    model.from("weight", view.dtype);
    const name = isHalf === (view.dtype === "float16") ? map(view) : model.cast(map(view), view.dtype);
    written.set(node, name);
    return name;
  };
  const write = (node: Node): string => {
    if (isInput(node)) return feed(node);
    if (isConstant(node)) return model.floats(node.attrs.values as Float32Array, node.shape as number[], node.dtype);
    if (isParameter(node)) return feed(node);
    const how = implementation(node, target);
    if (!("lower" in how)) throw new GraphError("an operation was not expanded", { where: node.op.name });
    model.from(node.op.name, node.dtype);
    return how.lower(model, node.inputs.map(inModel), {
      attrs: node.attrs,
      node,
      shapes: node.inputs.map((x) => x.shape),
    });
  };
  for (const node of inOrder(values)) if (!mappedView(node)) written.set(node, write(node));
  names.forEach((key, i) => {
    model.output(key, inModel(values[i]), values[i].shape, values[i].dtype);
  });
  yield;

  return {
    name,
    model: model.bytes(name),
    sources: sources.named,
    inputs,
    outputs: names.map((key, i) => portOf(key, values[i])),
    graph: values,
    weights: [...bindings.values()].filter((binding) => binding !== "fed"),
  };
}

/** Gives each source a short name that is unique in the program. */
class SourceNames {
  readonly named = new Map<string, WeightSource>();

  nameOf(source: WeightSource): string {
    for (const [name, known] of this.named) if (known === source) return name;
    const base = source.name.split(/[\\/]/).at(-1)!;
    const name = this.named.has(base) ? `${this.named.size}-${base}` : base;
    this.named.set(name, source);
    return name;
  }
}
