import { crc32 } from "node:zlib";
import { sizeOf } from "../../src/core/index.ts";
import { type Node, nameOf, parametersOf } from "../../src/graph/index.ts";
import { encodeSafetensors, type TensorData } from "../../src/weights/index.ts";

/** Number `i` of a tensor in [−1, 1): a hash of the index and of the tensor's name. tools/parity/perceptual.py has the same. */
function uniform(seed: number, i: number): number {
  let x = (Math.imul(i, 0x9e3779b9) + seed) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  x = (x ^ (x >>> 15)) >>> 0;
  return x / 2 ** 31 - 1;
}

/** A weight whose numbers follow from its name. No norm scale is 1, and no bias is 0. */
export function drawn(name: string, shape: readonly number[]): Float32Array {
  const bound = Math.sqrt(6 / sizeOf(shape.slice(1)));
  const isLinear = name.startsWith("lin");
  const isScale = name.includes("norm") && name.endsWith("weight");
  const isSmall = shape.length === 1 || name === "cls_token" || name === "pos_embed";
  const seed = crc32(name);
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const u = uniform(seed, i);
    if (isLinear) return 0.05 * (u + 1);
    if (isScale) return 1 + 0.3 * u;
    return isSmall ? 0.2 * u : u * bound;
  });
}

/** Drawn weights of every parameter of a graph that `isWanted` names. */
export function drawnTensors(
  graph: Node,
  isWanted: (name: string) => boolean = () => true,
): Record<string, TensorData> {
  const wanted = [...parametersOf([graph]).values()].filter((parameter) => isWanted(nameOf(parameter)));
  return Object.fromEntries(
    wanted.map((parameter) => {
      const shape = parameter.shape as readonly number[];
      return [nameOf(parameter), { dtype: "F32", shape, data: drawn(nameOf(parameter), shape) }];
    }),
  );
}

/** The same as a safetensors file. */
export const drawnFile = (graph: Node, isWanted?: (name: string) => boolean): Uint8Array =>
  encodeSafetensors(drawnTensors(graph, isWanted));
