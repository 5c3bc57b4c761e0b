/** One linear layer y = x·Wᵀ as an ONNX model, in float32 and in the 8-bit forms that onnxruntime has. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { byOutput } from "./quantise.ts";

/** A linear layer: `rows` times `inputs` → `outputs`. */
export interface Layer {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

type Values = Float32Array | Int8Array | Uint8Array;

const dataTypes = { Float32Array: DataType.FLOAT, Int8Array: DataType.INT8, Uint8Array: DataType.UINT8 };
const typeOf = (values: Values): DataType => dataTypes[values.constructor.name as keyof typeof dataTypes];

const stored = (name: string, dims: readonly number[], values: Values): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: typeOf(values),
    rawData: new Uint8Array(values.slice().buffer as ArrayBuffer),
  });

/** A whole number is an integer attribute, `{ float: x }` a float. */
type Attributes = Readonly<Record<string, number | { readonly float: number }>>;

const attribute = ([name, value]: [string, Attributes[string]]): AttributeProto =>
  typeof value === "number"
    ? create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) })
    : create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });

function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Attributes = {},
  domain = "",
): NodeProto {
  const attrs = Object.entries(attributes).map(attribute);
  return create(NodeProtoSchema, {
    opType,
    name: output[0],
    input: [...input],
    output: [...output],
    attribute: attrs,
    domain,
  });
}

function model({ rows, inputs, outputs }: Layer, nodes: NodeProto[], initializer: TensorProto[]): Uint8Array {
  const port = (name: string, dims: readonly number[]) =>
    create(ValueInfoProtoSchema, {
      name,
      type: {
        value: {
          case: "tensorType",
          value: {
            elemType: DataType.FLOAT,
            shape: { dim: dims.map((value) => ({ value: { case: "dimValue" as const, value: BigInt(value) } })) },
          },
        },
      },
    });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: [
        { domain: "", version: 21n },
        { domain: "com.microsoft", version: 1n },
      ],
      graph: create(GraphProtoSchema, {
        name: "linear",
        node: nodes,
        initializer,
        input: [port("x", [rows, inputs])],
        output: [port("y", [rows, outputs])],
      }),
    }),
  );
}

const largest = (values: Float32Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);

/** W [out, in] → uint8 [out, blocks, block] around 128, and a scale for each block. */
function byBlock(
  { inputs, outputs }: Layer,
  weight: Float32Array,
  block: number,
): { values: Uint8Array; scales: Float32Array; blocks: number } {
  const blocks = Math.ceil(inputs / block);
  const values = new Uint8Array(outputs * blocks * block).fill(128);
  const scales = new Float32Array(outputs * blocks);
  for (let o = 0; o < outputs; o++) {
    for (let b = 0; b < blocks; b++) {
      const own = weight.subarray(o * inputs + b * block, o * inputs + Math.min(inputs, (b + 1) * block));
      const scale = largest(own) / 127;
      scales[o * blocks + b] = scale;
      own.forEach((value, i) => {
        values[(o * blocks + b) * block + i] = Math.round(value / scale) + 128;
      });
    }
  }
  return { values, scales, blocks };
}

/** Writes a layer with weight W [out, in]. */
export type Form = (layer: Layer, weight: Float32Array) => Uint8Array;

const blocked =
  (block: number): Form =>
  (layer, weight) => {
    const { inputs, outputs } = layer;
    const { values, scales, blocks } = byBlock(layer, weight, block);
    const attributes = { K: inputs, N: outputs, bits: 8, block_size: block, accuracy_level: 4 };
    return model(
      layer,
      [node("MatMulNBits", ["x", "w", "s"], ["y"], attributes, "com.microsoft")],
      [stored("w", [outputs, blocks, block], values), stored("s", [outputs * blocks], scales)],
    );
  };

/** All forms, the product's own first. */
export const forms: Readonly<Record<string, Form>> = {
  "float32: FusedMatMul": (layer, weight) =>
    model(
      layer,
      [node("FusedMatMul", ["x", "w"], ["y"], { transB: 1, alpha: { float: 1 } }, "com.microsoft")],
      [stored("w", [layer.outputs, layer.inputs], weight)],
    ),
  "float32: MatMul": (layer, weight) => {
    const { inputs, outputs } = layer;
    const turned = new Float32Array(weight.length);
    for (let o = 0; o < outputs; o++) for (let i = 0; i < inputs; i++) turned[i * outputs + o] = weight[o * inputs + i];
    return model(layer, [node("MatMul", ["x", "w"], ["y"])], [stored("w", [inputs, outputs], turned)]);
  },
  "8 bits: DynamicQuantizeMatMul": (layer, weight) => {
    const { values, scales } = byOutput(weight, layer.outputs, layer.inputs);
    return model(
      layer,
      [node("DynamicQuantizeMatMul", ["x", "w", "s"], ["y"], {}, "com.microsoft")],
      [stored("w", [layer.inputs, layer.outputs], values), stored("s", [layer.outputs], scales)],
    );
  },
  "8 bits: DynamicQuantizeLinear, MatMulInteger": (layer, weight) => {
    const { values, scales } = byOutput(weight, layer.outputs, layer.inputs);
    return model(
      layer,
      [
        node("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"]),
        node("MatMulInteger", ["q", "w", "xz"], ["n"]),
        node("Cast", ["n"], ["f"], { to: DataType.FLOAT }),
        node("Mul", ["xs", "s"], ["scale"]),
        node("Mul", ["f", "scale"], ["y"]),
      ],
      [stored("w", [layer.inputs, layer.outputs], values), stored("s", [layer.outputs], scales)],
    );
  },
  "8 bits: MatMulNBits, blocks of 32": blocked(32),
  "8 bits: MatMulNBits, blocks of 64": blocked(64),
  "8 bits: MatMulNBits, blocks of 128": blocked(128),
};
