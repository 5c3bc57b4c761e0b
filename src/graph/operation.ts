import { GraphError, sizeOf } from "../core/index.ts";
import { type Shape, show } from "./shape.ts";

export type DType = "float32" | "int64";

/** A value in a graph. A graph is what can be reached from its outputs, so what nobody reads does not exist. */
export interface Node {
  readonly op: Op;
  readonly inputs: readonly Node[];
  readonly attrs: Attributes;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Plain data: nodes with equal operation, inputs and attributes are one value. */
export type Attributes = { readonly [key: string]: AttributeValue | undefined };
export type AttributeValue = string | number | boolean | Float32Array | readonly (number | string)[];

/** What the ONNX writer offers to a lowering rule. Values are names. */
export interface Emitter {
  /** Adds a node with one output and returns its name. Attributes: integers are ints, `float(x)` are floats. */
  node(op: string, inputs: readonly (string | undefined)[], attrs?: OnnxAttributes, domain?: string): string;
  /** Adds a node with several outputs. */
  nodes(
    count: number,
    op: string,
    inputs: readonly (string | undefined)[],
    attrs?: OnnxAttributes,
    domain?: string,
  ): string[];
  ints(values: readonly number[]): string;
  floats(values: Float32Array, shape: readonly number[]): string;
}
export type OnnxAttributes = Record<string, number | string | readonly number[] | { float: number }>;

/** The context of one node in its lowering rule. */
export interface Lowering<A> {
  attrs: A;
  node: Node;
  /** Shapes of the inputs. */
  shapes: readonly Shape[];
}

/** "ort": onnxruntime's CPU and CUDA kernels, contrib operators included. "onnx": the plain standard, for every other device. */
export type Target = "ort" | "onnx";

type Lower<A> = (out: Emitter, inputs: string[], context: Lowering<A>) => string;
type Expand<A> = (inputs: readonly Node[], attrs: A) => Node;

/** How a value becomes ONNX: written as nodes, or first rewritten as other graph operations. */
export type Implementation<A> = { lower: Lower<A> } | { expand: Expand<A> };

export interface GradientContext<A> {
  inputs: readonly Node[];
  output: Node;
  attrs: A;
}

/** For each input, how its gradient is built from dy; null where the input has none (integers, shapes). */
export type Gradient<A> = (dy: Node, context: GradientContext<A>) => readonly ((() => Node) | null)[];

/** What a kernel does with memory beside filling its output. */
export interface MemoryUse<A> {
  /** The output is the first input's bytes. */
  view?: boolean;
  /** The output takes over the first input's buffer where nothing reads that any more. */
  inPlace?: boolean;
  /** Lengths of the float32 arrays that it needs while it runs. */
  workspace?: (shapes: readonly (readonly number[])[], output: readonly number[], attrs: A) => readonly number[];
}

export interface OpRules<A> {
  shape: (shapes: readonly Shape[], attrs: A) => Shape;
  /** Defaults to float32. */
  dtype?: DType;
  gradient: Gradient<A>;
  /** One implementation for all targets, or one for each. */
  implement: Implementation<A> | Record<Target, Implementation<A>>;
  /** How onnxruntime's CPU kernel treats memory, where it does not simply fill a buffer of its own. */
  memory?: MemoryUse<A>;
}

/** The rules of one operation, with its attributes' type erased. */
export interface Op extends OpRules<Attributes> {
  readonly name: string;
}

const table = new Map<string, Op>();

/** Every operation there is, by name. */
export const operations: ReadonlyMap<string, Op> = table;

/**
 * Adds an operation to the table: how its shape follows, how its gradient is built, how it becomes ONNX. Nothing about
 * the operation lives elsewhere. Returns the function that makes its nodes.
 */
export function defineOp<A extends Attributes>(name: string, rules: OpRules<A>) {
  if (table.has(name)) throw new GraphError(`operation ${name} is defined twice`);
  const op = { name, ...rules } as unknown as Op;
  table.set(name, op);
  return (inputs: readonly Node[], attrs: A): Node => make(op, inputs, attrs);
}

export function make(op: Op, inputs: readonly Node[], attrs: Attributes): Node {
  try {
    const shape = op.shape(
      inputs.map((x) => x.shape),
      attrs,
    );
    return { op, inputs, attrs, shape, dtype: op.dtype ?? "float32" };
  } catch (cause) {
    if (!(cause instanceof GraphError)) throw cause;
    throw new GraphError(cause.message.replace(/\.$/, ""), {
      where: `${op.name}(${inputs.map((x) => show(x.shape)).join(", ")})`,
      cause,
    });
  }
}

const leaf = (name: string, dtype?: DType): Op => {
  const op: Op = {
    name,
    dtype,
    shape: (_, { shape }) => shape as Shape,
    gradient: () => [],
    implement: {
      lower: () => {
        throw new GraphError(`${name} is bound by the writer, not lowered`);
      },
    },
  };
  return op;
};
const inputOps = { float32: leaf("input", "float32"), int64: leaf("input", "int64") };
const parameterOp = leaf("parameter");
const constantOp = leaf("constant");

/** A value that is given at every run. */
export const input = (name: string, shape: Shape, dtype: DType = "float32"): Node =>
  make(inputOps[dtype], [], { name, shape });

/** A weight of the model, by the checkpoint's own key; mapped from a file or fed, as the build decides. */
export const parameter = (name: string, shape: readonly number[]): Node => make(parameterOp, [], { name, shape });

/** A value that is fixed in the graph. */
export function constant(values: Float32Array, shape: readonly number[]): Node {
  if (sizeOf(shape) !== values.length) {
    throw new GraphError("data does not fill its shape", { found: `${values.length} numbers for ${show(shape)}` });
  }
  return make(constantOp, [], { values, shape });
}

export const scalar = (value: number): Node => constant(Float32Array.of(value), []);

export const isInput = (x: Node): boolean => x.op.name === "input";
export const isParameter = (x: Node): boolean => x.op === parameterOp;
export const isConstant = (x: Node): boolean => x.op === constantOp;
/** The name under which an input or parameter is known outside. */
export const nameOf = (x: Node): string => x.attrs.name as string;
