/** Rewrites a compiled program, so that its linear layers compute in 8 bits. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";

/** W [out, in], row-major → int8 [in, out] with one scale for each output: W[o, i] ≈ scales[o]·values[i, o]. */
export function byOutput(
  weight: Float32Array,
  outputs: number,
  inputs: number,
): { values: Int8Array; scales: Float32Array } {
  const values = new Int8Array(inputs * outputs);
  const scales = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const own = weight.subarray(o * inputs, (o + 1) * inputs);
    let largest = 1e-12;
    for (const value of own) largest = Math.max(largest, Math.abs(value));
    scales[o] = largest / 127;
    for (let i = 0; i < inputs; i++) values[i * outputs + o] = Math.round(own[i] / scales[o]);
  }
  return { values, scales };
}

const entry = ({ externalData }: TensorProto, key: string): string | undefined =>
  externalData.find((each) => each.key === key)?.value;

/** The float32 numbers of a weight that lies in a file of `folder`. */
function readWeight(folder: string, weight: TensorProto): Float32Array {
  const length = Number(entry(weight, "length"));
  const bytes = new Uint8Array(length);
  const file = openSync(join(folder, entry(weight, "location")!), "r");
  try {
    readSync(file, bytes, 0, length, Number(entry(weight, "offset")));
  } finally {
    closeSync(file);
  }
  return new Float32Array(bytes.buffer);
}

/**
 * Replaces every product with a weight [out, in] by one in 8 bits: the weight is rounded with one scale for each output, its
 * input with one scale and zero point in all, found at each call. model: its weights lie in files of `folder`, where the
 * rounded ones are written into the file `name`. Returns the model and the number of layers.
 */
export function quantised(model: Uint8Array, folder: string, name: string): { model: Uint8Array; layers: number } {
  const decoded = fromBinary(ModelProtoSchema, model);
  const graph = decoded.graph!;
  const weights = new Map(graph.initializer.map((one) => [one.name, one]));
  const rounded = new Map<string, { values: string; scales: string }>();
  const file = openSync(join(folder, name), "w");
  let end = 0;
  let layers = 0;
  const store = (id: string, dataType: DataType, dims: readonly number[], data: Int8Array | Float32Array): string => {
    // onnxruntime maps weights at any offset; these are aligned all the same.
    end = Math.ceil(end / 64) * 64;
    writeSync(file, data, 0, data.byteLength, end);
    const place = Object.entries({ location: name, offset: `${end}`, length: `${data.byteLength}` });
    end += data.byteLength;
    graph.initializer.push(
      create(TensorProtoSchema, {
        name: id,
        dataType,
        dims: dims.map(BigInt),
        dataLocation: DataLocation.EXTERNAL,
        externalData: place.map(([key, value]) => ({ key, value })),
      }),
    );
    return id;
  };
  try {
    for (const node of graph.node) {
      const [x, w] = node.input;
      const weight = weights.get(w);
      const isTransposed = (key: string) => node.attribute.some((one) => one.name === key && one.i === 1n);
      if (node.opType !== "FusedMatMul" || !weight || !isTransposed("transB") || isTransposed("transA")) continue;
      const [outputs, inputs] = weight.dims.map(Number);
      if (!rounded.has(w)) {
        const { values, scales } = byOutput(readWeight(folder, weight), outputs, inputs);
        rounded.set(w, {
          values: store(`${w}, 8 bits`, DataType.INT8, [inputs, outputs], values),
          scales: store(`${w}, scales`, DataType.FLOAT, [outputs], scales),
        });
      }
      const { values, scales } = rounded.get(w)!;
      node.opType = "DynamicQuantizeMatMul";
      node.input = [x, values, scales];
      node.attribute = node.attribute.filter(({ type }) => type === AttributeType.UNDEFINED);
      layers++;
    }
  } finally {
    closeSync(file);
  }
  const used = new Set(graph.node.flatMap(({ input }) => input));
  graph.initializer = graph.initializer.filter((one) => used.has(one.name));
  return { model: toBinary(ModelProtoSchema, decoded), layers };
}
