import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { GraphError, toFloat16 } from "../core/index.ts";
import type { DType, Emitter, OnnxAttributes } from "./operation.ts";
import { type Dim, isSymbolic, type Shape } from "./shape.ts";

/** The versions that the lowering rules follow. onnxruntime 1.20 and newer read them. */
const OPSET = 21n;
const IR_VERSION = 10n;
const CONTRIB = "com.microsoft";

const types: Record<DType, DataType> = { float32: DataType.FLOAT, float16: DataType.FLOAT16, int64: DataType.INT64 };

/** A range of bytes in another file. */
export interface ExternalData {
  location: string;
  offset: number;
  length: number;
}

const littleEndian = (values: Float32Array | Uint16Array | BigInt64Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(values.slice().buffer as ArrayBuffer);

function attribute(name: string, value: OnnxAttributes[string]): AttributeProto {
  if (typeof value === "number") {
    if (!Number.isInteger(value))
      throw new GraphError("an integer attribute is not a whole number", { where: name, found: `${value}` });
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  }
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  if ("float" in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

function port(name: string, shape: Shape, dtype: DType): ValueInfoProto {
  const dim = shape.map((d) => ({
    value: isSymbolic(d)
      ? { case: "dimParam" as const, value: d as string }
      : { case: "dimValue" as const, value: BigInt(d) },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: types[dtype], shape: { dim } } } },
  });
}

/**
 * Returns the shape of an input as it is fed to the ONNX model. Whole numbers [n] are fed as [n, 1], the form that GatherND and
 * ScatterND take: WebGPU has no kernel that reshapes int64.
 */
export const fedShape = <D extends Dim>({ shape, dtype }: { shape: readonly D[]; dtype: DType }): (D | 1)[] =>
  dtype === "int64" ? [...shape, 1] : [...shape];

/** Collects ONNX nodes and initializers, and writes them as one model. */
export class OnnxModel implements Emitter {
  private readonly nodesMade: NodeProto[] = [];
  private readonly initializers: TensorProto[] = [];
  private readonly inputs: ValueInfoProto[] = [];
  private readonly outputs: ValueInfoProto[] = [];
  private readonly small = new Map<string, string>();
  /** Values that nodes make. */
  private readonly made = new Set<string>();
  /** For each value that is an output, the name of the output. */
  private readonly renamed = new Map<string, string>();
  private scope = "";
  private dtype: DType = "float32";

  /**
   * Sets the graph operation that the next nodes come from, and its dtype. Its label is part of their names, which a profile
   * shows.
   */
  from(label: string, dtype: DType): void {
    this.scope = label;
    this.dtype = dtype;
  }

  node(op: string, inputs: readonly (string | undefined)[], attrs: OnnxAttributes = {}, domain = ""): string {
    return this.nodes(1, op, inputs, attrs, domain)[0];
  }

  nodes(
    count: number,
    op: string,
    inputs: readonly (string | undefined)[],
    attrs: OnnxAttributes = {},
    domain = "",
  ): string[] {
    const id = `${this.scope}/${op}_${this.nodesMade.length}`;
    const output = Array.from({ length: count }, (_, i) => (count === 1 ? id : `${id}.${i}`));
    this.nodesMade.push(
      create(NodeProtoSchema, {
        name: id,
        opType: op,
        domain,
        input: inputs.map((x) => x ?? ""),
        output,
        attribute: Object.entries(attrs).map(([name, value]) => attribute(name, value)),
      }),
    );
    for (const value of output) this.made.add(value);
    return output;
  }

  ints(values: readonly number[]): string {
    return this.inline(`i${values}`, DataType.INT64, [values.length], BigInt64Array.from(values, BigInt));
  }

  floats(values: Float32Array, shape: readonly number[], dtype = this.dtype): string {
    const bits = new Uint32Array(values.slice().buffer);
    const key = values.length <= 64 ? `${dtype}${shape}:${bits}` : undefined;
    return this.inline(key, types[dtype], shape, dtype === "float16" ? toFloat16(values) : values);
  }

  private inline(
    key: string | undefined,
    dataType: DataType,
    shape: readonly number[],
    values: Float32Array | Uint16Array | BigInt64Array,
  ): string {
    const known = key === undefined ? undefined : this.small.get(key);
    if (known) return known;
    const name = `constant_${this.initializers.length}`;
    this.initializers.push(
      create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData: littleEndian(values) }),
    );
    if (key !== undefined) this.small.set(key, name);
    return name;
  }

  /** Adds a tensor whose bytes stay in another file. */
  external(name: string, shape: readonly number[], dtype: DType, { location, offset, length }: ExternalData): string {
    const data = Object.entries({ location, offset: `${offset}`, length: `${length}` });
    this.initializers.push(
      create(TensorProtoSchema, {
        name,
        dataType: types[dtype],
        dims: shape.map(BigInt),
        dataLocation: DataLocation.EXTERNAL,
        externalData: data.map(([key, value]) => ({ key, value })),
      }),
    );
    return name;
  }

  /** Converts a value. */
  cast(x: string, to: DType): string {
    return this.node("Cast", [x], { to: types[to] });
  }

  /** Adds an input. Whole numbers get another shape: see `fedShape`. */
  input(name: string, shape: Shape, dtype: DType): string {
    this.inputs.push(port(name, fedShape({ shape, dtype }), dtype));
    return name;
  }

  /**
   * Makes a value an output. The node that makes the value gets the output's name, so an output that other nodes read too
   * is not copied. An input, a weight, or a value that is an output already, is copied by a node of its own.
   */
  output(name: string, value: string, shape: Shape, dtype: DType): void {
    const known = this.made.has(value) && !this.renamed.has(value) ? value : this.node("Identity", [value]);
    this.renamed.set(known, name);
    this.outputs.push(port(name, shape, dtype));
  }

  /** Replaces the names of values that are outputs by the names of the outputs. */
  private rename(): void {
    const now = (value: string): string => this.renamed.get(value) ?? value;
    for (const node of this.nodesMade) {
      node.input = node.input.map(now);
      node.output = node.output.map(now);
    }
  }

  bytes(name: string): Uint8Array {
    this.rename();
    const model = create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: "baret",
      opsetImport: [
        { domain: "", version: OPSET },
        { domain: CONTRIB, version: 1n },
      ],
      graph: create(GraphProtoSchema, {
        name,
        node: this.nodesMade,
        initializer: this.initializers,
        input: this.inputs,
        output: this.outputs,
      }),
    });
    return toBinary(ModelProtoSchema, model);
  }
}
