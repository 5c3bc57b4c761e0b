import { GraphError, sizeOf } from "../core/index.ts";
import { type DType, isConstant, isInput, isParameter, type Node, nameOf, type Target } from "./node.ts";
import { type ExternalData, OnnxModel } from "./onnx.ts";
import { withFlippedKernels } from "./ops/index.ts";
import { inOrder } from "./order.ts";
import { expand, implementation, shareEqual, verify } from "./passes.ts";
import { type Shape, show } from "./shape.ts";

/** An input or output of a program. */
export interface Port {
  name: string;
  shape: Shape;
  dtype: DType;
}

/** A weight as it lies in a file, float32, row-major. */
export interface MappedWeight {
  /** Absolute path of the file, without symbolic links. */
  file: string;
  offset: number;
  length: number;
}

/** Where a parameter's numbers come from: a file, or a value fed at every run. */
export type Binding = MappedWeight | "fed";

/** A compiled graph: an ONNX model whose weights stay where they are. */
export interface Program {
  name: string;
  model: Uint8Array;
  /** Location as the model names it → path of the file that holds the bytes. */
  files: ReadonlyMap<string, string>;
  inputs: readonly Port[];
  outputs: readonly Port[];
  /** The graph after all rewriting, for estimates of work and memory. */
  graph: readonly Node[];
  /** The parameters that it maps. */
  weights: readonly MappedWeight[];
}

export interface CompileOptions {
  name: string;
  target?: Target;
  /** Where each parameter comes from. */
  bind: (parameter: string, shape: readonly number[]) => Binding;
  /** Convolutions' gradients with flipped kernels: see withFlippedKernels. Default false. */
  flipKernels?: boolean;
}

/**
 * Writes the graph that `outputs` need as one ONNX program: verified, rewritten for the target, verified again, equal
 * values shared. Throws GraphError where the graph is not sound or a weight's bytes do not fill its shape.
 */
export function compile(
  outputs: Readonly<Record<string, Node>>,
  { name, target = "ort", bind, flipKernels = false }: CompileOptions,
): Program {
  verify(outputs);
  const names = Object.keys(outputs);
  const wanted = flipKernels ? withFlippedKernels(Object.values(outputs)) : Object.values(outputs);
  const values = shareEqual(expand(shareEqual(wanted), target));
  verify(Object.fromEntries(names.map((key, i) => [key, values[i]])));

  const model = new OnnxModel();
  const written = new Map<Node, string>();
  const inputs: Port[] = [];
  const files = new FileNames();
  const bindings = new Map<Node, Binding>();

  const feed = (node: Node): string => {
    inputs.push({ name: nameOf(node), shape: node.shape, dtype: node.dtype });
    return model.input(nameOf(node), node.shape, node.dtype);
  };
  const map = (id: string, shape: Shape, { file, offset, length }: MappedWeight): string => {
    if (length !== 4 * sizeOf(shape as number[])) {
      throw new GraphError("a weight's bytes do not fill its shape", {
        where: id,
        found: `${length} bytes for ${show(shape)}`,
      });
    }
    const data: ExternalData = { location: files.nameOf(file), offset, length };
    return model.external(id, shape as number[], data);
  };
  const write = (node: Node): string => {
    if (isInput(node)) return feed(node);
    if (isConstant(node)) return model.floats(node.attrs.values as Float32Array, node.shape as number[]);
    if (isParameter(node)) {
      const binding = bind(nameOf(node), node.shape as number[]);
      bindings.set(node, binding);
      return binding === "fed" ? feed(node) : map(nameOf(node), node.shape, binding);
    }
    // A mapped weight under another shape is the same bytes once more; as an operation it would become a private copy.
    const binding = node.op.name === "reshape" ? bindings.get(node.inputs[0]) : undefined;
    if (binding && binding !== "fed")
      return map(`${nameOf(node.inputs[0])} as ${show(node.shape)}`, node.shape, binding);
    const how = implementation(node, target);
    if (!("lower" in how)) throw new GraphError("an operation was left unexpanded", { where: node.op.name });
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

  return {
    name,
    model: model.bytes(name),
    files: files.paths,
    inputs,
    outputs: names.map((key, i) => ({ name: key, shape: values[i].shape, dtype: values[i].dtype })),
    graph: values,
    weights: [...bindings.values()].filter((binding) => binding !== "fed"),
  };
}

/** Gives each weight file a short name that is unique within the program. */
class FileNames {
  readonly paths = new Map<string, string>();

  nameOf(file: string): string {
    for (const [name, path] of this.paths) if (path === file) return name;
    const base = file.split(/[\\/]/).at(-1)!;
    const name = this.paths.has(base) ? `${this.paths.size}-${base}` : base;
    this.paths.set(name, file);
    return name;
  }
}
