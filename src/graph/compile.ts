import { GraphError, shapeText, sizeOf } from "../core/index.ts";
import { type ExternalData, OnnxModel } from "./onnx.ts";
import { type DType, isConstant, isInput, isParameter, type Node, nameOf, type Target } from "./operation.ts";
import { inOrder } from "./order.ts";
import { expand, flipKernels, implementation, shareEqual, verify } from "./passes.ts";
import type { Shape } from "./shape.ts";

/** An input or output of a program. */
export interface Port {
  name: string;
  shape: Shape;
  dtype: DType;
}

/** A source of weights: a file, or bytes in a browser. Only the platform that runs the program knows how to open it. */
export interface WeightSource {
  /** Its path, as the user knows it. */
  readonly name: string;
}

/** The place of a weight: a range of bytes in a source, float32, row-major. */
export interface MappedWeight {
  source: WeightSource;
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
}

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
  { name, target = "ort", bind, kernelCopies = 300e6 }: CompileOptions,
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
  const wanted = shareEqual(Object.values(outputs));
  yield;
  const fast = target === "ort" ? flipKernels(wanted, kernelCopies, isMapped) : wanted;
  yield;
  const expanded = expand(fast, target);
  yield;
  const values = shareEqual(expanded);
  yield;
  verify(Object.fromEntries(names.map((key, i) => [key, values[i]])));
  yield;

  const model = new OnnxModel();
  const written = new Map<Node, string>();
  const inputs: Port[] = [];
  const sources = new SourceNames();

  const feed = (node: Node): string => {
    inputs.push({ name: nameOf(node), shape: node.shape, dtype: node.dtype });
    return model.input(nameOf(node), node.shape, node.dtype);
  };
  const map = (id: string, shape: Shape, { source, offset, length }: MappedWeight): string => {
    if (length !== 4 * sizeOf(shape as number[])) {
      throw new GraphError("the bytes of a weight do not fill its shape", {
        where: id,
        found: `${length} bytes for ${shapeText(shape)}`,
      });
    }
    const data: ExternalData = { location: sources.nameOf(source), offset, length };
    return model.external(id, shape as number[], data);
  };
  const write = (node: Node): string => {
    if (isInput(node)) return feed(node);
    if (isConstant(node)) return model.floats(node.attrs.values as Float32Array, node.shape as number[]);
    if (isParameter(node)) {
      const binding = bindingOf(node);
      return binding === "fed" ? feed(node) : map(nameOf(node), node.shape, binding);
    }
    // A mapped weight of another shape is mapped once more. A Reshape operation would make a private copy of it.
    if (node.op.name === "reshape" && isMapped(node.inputs[0])) {
      const weight = node.inputs[0];
      return map(`${nameOf(weight)} as ${shapeText(node.shape)}`, node.shape, bindingOf(weight) as MappedWeight);
    }
    const how = implementation(node, target);
    if (!("lower" in how)) throw new GraphError("an operation was not expanded", { where: node.op.name });
    model.from(node.op.name);
    return how.lower(
      model,
      node.inputs.map((x) => written.get(x)!),
      { attrs: node.attrs, node, shapes: node.inputs.map((x) => x.shape) },
    );
  };
  for (const node of inOrder(values)) written.set(node, write(node));
  names.forEach((key, i) => {
    model.output(key, written.get(values[i])!, values[i].shape, values[i].dtype);
  });
  yield;

  return {
    name,
    model: model.bytes(name),
    sources: sources.named,
    inputs,
    outputs: names.map((key, i) => ({ name: key, shape: values[i].shape, dtype: values[i].dtype })),
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
