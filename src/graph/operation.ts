import { GraphError, shapeText, sizeOf } from "../core/index.ts";
import type { Shape } from "./shape.ts";

/** float16 is only in compiled programs: graphs, and inputs and outputs of programs, are float32. */
export type DType = "float32" | "float16" | "int64";
/** The dtypes of inputs and outputs. */
export type PortDType = Exclude<DType, "float16">;

/** Bytes of one number. */
export const dtypeBytes: Readonly<Record<DType, number>> = { float32: 4, float16: 2, int64: 8 };

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
  /** Adds a constant. dtype: default that of the graph operation that is being written. */
  floats(values: Float32Array, shape: readonly number[], dtype?: DType): string;
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

/** The facts about a device on which the form of a program depends. */
export interface Traits {
  /** Most bytes of one value. */
  readonly buffer: number;
  /** Most rows of a batch of any size, for which values must not be larger than that. */
  readonly rows: number;
  /** The device's kernel for attention is right. It is used only if its results were compared with plain operations. */
  readonly fusedAttention: boolean;
}

export type Lower<A> = (out: Emitter, inputs: string[], context: Lowering<A>) => string;
type Expand<A> = (inputs: readonly Node[], attrs: A, traits: Traits) => Node;

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
  /** Default: that of its inputs that are not int64. */
  dtype?: (attrs: A) => DType;
  /** May be computed in float16. Default: false, for operations that sum many numbers or leave the range of float16. */
  half?: boolean;
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
    return { op, inputs, attrs, shape, dtype: op.dtype?.(attrs) ?? commonDtype(inputs) };
  } catch (cause) {
    if (!(cause instanceof GraphError)) throw cause;
    throw new GraphError(cause.message.replace(/\.$/, ""), {
      where: `${op.name}(${inputs.map((x) => shapeText(x.shape)).join(", ")})`,
      cause,
    });
  }
}

/** Returns the dtype of the inputs that are not whole numbers. Throws GraphError if they differ. */
function commonDtype(inputs: readonly Node[]): DType {
  const found = [...new Set(inputs.map(({ dtype }) => dtype))].filter((dtype) => dtype !== "int64");
  if (found.length > 1) throw new GraphError("dtypes differ", { found: found.join(" and ") });
  return found[0] ?? "float32";
}

const leaf = (name: string): Op => {
  const op: Op = {
    name,
    dtype: ({ dtype }) => (dtype as DType | undefined) ?? "float32",
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
const inputOp = leaf("input");
const parameterOp = leaf("parameter");
const constantOp = leaf("constant");

/** Returns a value that the caller feeds at every run. */
export const input = (name: string, shape: Shape, dtype: PortDType = "float32"): Node =>
  make(inputOp, [], { name, shape, dtype });

/** Returns a weight of the model, by its key in the checkpoint. Compilation decides whether it is mapped from a file or fed. */
export const parameter = (name: string, shape: readonly number[]): Node => make(parameterOp, [], { name, shape });

/** Returns a constant of the graph. Numbers outside the range of float16 become its largest ones if dtype is float16. */
export function constant(
  values: Float32Array,
  shape: readonly number[],
  dtype: Exclude<DType, "int64"> = "float32",
): Node {
  if (sizeOf(shape) !== values.length) {
    throw new GraphError("data does not fill its shape", { found: `${values.length} numbers for ${shapeText(shape)}` });
  }
  return make(constantOp, [], { values, shape, dtype });
}

export const scalar = (value: number, dtype?: Exclude<DType, "int64">): Node =>
  constant(Float32Array.of(value), [], dtype);

export const isInput = (x: Node): boolean => x.op === inputOp;
export const isParameter = (x: Node): boolean => x.op === parameterOp;
export const isConstant = (x: Node): boolean => x.op === constantOp;
/** Returns the name of an input or parameter. */
export const nameOf = (x: Node): string => x.attrs.name as string;
