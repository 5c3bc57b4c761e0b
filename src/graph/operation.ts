import { GraphError, shapeText, sizeOf } from "../core/index.ts";
import type { Shape } from "./shape.ts";

export type DType = "float32" | "int64";

/** A value in a graph. A graph consists of the nodes that its outputs need; a node that nothing reads is not part of it. */
export interface Node {
  readonly op: Op;
  readonly inputs: readonly Node[];
  readonly attrs: Attributes;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Plain data. Nodes with the same operation, inputs and attributes are one value. */
export type Attributes = { readonly [key: string]: AttributeValue | undefined };
export type AttributeValue = string | number | boolean | Float32Array | readonly (number | string)[];

/** The functions of the ONNX writer that a lowering rule uses. Values are names. */
export interface Emitter {
  /** Adds a node with one output and returns its name. A plain number is an integer attribute, `{ float: x }` a float. */
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

/** The node that a lowering rule writes. */
export interface Lowering<A> {
  attrs: A;
  node: Node;
  /** Shapes of the inputs. */
  shapes: readonly Shape[];
}

/** "ort": the kernels of onnxruntime for CPU and CUDA, contrib operators included. "onnx": the ONNX standard, for all other devices. */
export type Target = "ort" | "onnx";

type Lower<A> = (out: Emitter, inputs: string[], context: Lowering<A>) => string;
type Expand<A> = (inputs: readonly Node[], attrs: A) => Node;

/** The ONNX form of an operation: nodes (`lower`), or other graph operations that replace it first (`expand`). */
export type Implementation<A> = { lower: Lower<A> } | { expand: Expand<A> };

export interface GradientContext<A> {
  inputs: readonly Node[];
  output: Node;
  attrs: A;
}

/** For each input, a function that builds its gradient from dy; null if the input has none (integers, shapes). */
export type Gradient<A> = (dy: Node, context: GradientContext<A>) => readonly ((() => Node) | null)[];

/** A kernel's use of memory, apart from a buffer for its output. */
export interface MemoryUse<A> {
  /** The output shares the first input's bytes. */
  view?: boolean;
  /** The output takes over the first input's buffer if nothing else reads it. */
  inPlace?: boolean;
  /** Lengths of the float32 arrays that the kernel needs while it runs. */
  workspace?: (shapes: readonly (readonly number[])[], output: readonly number[], attrs: A) => readonly number[];
}

export interface OpRules<A> {
  shape: (shapes: readonly Shape[], attrs: A) => Shape;
  /** Defaults to float32. */
  dtype?: DType;
  gradient: Gradient<A>;
  /** One implementation for all targets, or one for each. */
  implement: Implementation<A> | Record<Target, Implementation<A>>;
  /** Memory use of onnxruntime's CPU kernel, if it does not simply fill a new buffer. */
  memory?: MemoryUse<A>;
  /**
   * Returns the number of its multiplications and additions. Absent if the kernel waits for memory rather than for arithmetic,
   * as elementwise operations do.
   */
  arithmetic?: (shapes: readonly (readonly number[])[], output: readonly number[], attrs: A) => number;
}

/** The rules of one operation, without the type of its attributes. */
export interface Op extends OpRules<Attributes> {
  readonly name: string;
}

const table = new Map<string, Op>();

/** All operations, by name. */
export const operations: ReadonlyMap<string, Op> = table;

/**
 * Adds an operation to the table, with its rules for shape, gradient and ONNX. Nothing about the operation stands
 * elsewhere. Returns the function that makes its nodes.
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
      where: `${op.name}(${inputs.map((x) => shapeText(x.shape)).join(", ")})`,
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
        throw new GraphError(`${name} is written by the compiler and has no lowering rule`);
      },
    },
  };
  return op;
};
const inputOps = { float32: leaf("input", "float32"), int64: leaf("input", "int64") };
const parameterOp = leaf("parameter");
const constantOp = leaf("constant");

/** A value that the caller feeds at every run. */
export const input = (name: string, shape: Shape, dtype: DType = "float32"): Node =>
  make(inputOps[dtype], [], { name, shape });

/** A weight of the model, by its key in the checkpoint. Compilation decides whether it is mapped from a file or fed. */
export const parameter = (name: string, shape: readonly number[]): Node => make(parameterOp, [], { name, shape });

/** A constant of the graph. */
export function constant(values: Float32Array, shape: readonly number[]): Node {
  if (sizeOf(shape) !== values.length) {
    throw new GraphError("data does not fill its shape", { found: `${values.length} numbers for ${shapeText(shape)}` });
  }
  return make(constantOp, [], { values, shape });
}

export const scalar = (value: number): Node => constant(Float32Array.of(value), []);

export const isInput = (x: Node): boolean => x.op.name === "input";
export const isParameter = (x: Node): boolean => x.op === parameterOp;
export const isConstant = (x: Node): boolean => x.op === constantOp;
/** The name of an input or parameter. */
export const nameOf = (x: Node): string => x.attrs.name as string;
