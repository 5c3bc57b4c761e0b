import { writeFileSync } from "node:fs";
import {
  add,
  compile,
  constant,
  div,
  gather,
  input,
  log,
  matmul,
  mul,
  type Node,
  type Program,
  parameter,
  sum,
} from "../../src/graph/index.ts";
import type { LoadableProgram } from "../../src/runtime/index.ts";
import { fileSource } from "../../src/runtime/node/index.ts";

const program = (name: string, outputs: Record<string, Node>): Program => compile(outputs, { name, bind: () => "fed" });

/** y = x + x, for any batch of rows of three; z = 3x. */
export function doubling(): LoadableProgram {
  const x = input("x", ["B", 3]);
  return program("doubling", { y: add(x, x), z: add(x, add(x, x)) });
}

/** Rows of a table by their numbers. Inputs: table [4, 2], index [n]. */
export const picking = (n: number): LoadableProgram =>
  program("picking", { rows: gather(input("table", [4, 2]), input("index", [n], "int64")) });

/** log x and 1/x: NaN below 0, infinite at 0. */
export function delicate(): LoadableProgram {
  const x = input("x", [4]);
  return program("delicate", { log: log(x), inverse: div(1, x), same: add(x, 0) });
}

/** A table of 2^48 bytes, more than any process can address. x: [2^23, 1], y: [1, 2^23]. */
export function enormous(): LoadableProgram {
  const [x, y] = [input("x", [2 ** 23, 1]), input("y", [1, 2 ** 23])];
  return program("enormous", { sum: sum(mul(x, y)) });
}

/** x multiplied by itself `times` times. x: [1024, 1024]. */
function power(x: Node, times: number): Node {
  let y = x;
  for (let i = 0; i < times; i++) y = matmul(y, x);
  return y;
}

/** A native call of some seconds: 2 GFLOP for each of `times`. x: [1024, 1024]. */
export const slow = (times = 400): LoadableProgram => program("slow", { y: power(input("x", [1024, 1024]), times) });

/** As slow as `slow`, but in loading, when onnxruntime computes constant values. */
export const slowToLoad = (): LoadableProgram =>
  program("slow to load", {
    y: add(input("x", [1024, 1024]), power(constant(new Float32Array(2 ** 20), [1024, 1024]), 400)),
  });

export interface WeightPlace {
  file: string;
  offset: number;
}

/** Writes a file that holds `values` from byte `offset` on. */
export function writeWeights({ file, offset }: WeightPlace, values: Float32Array): void {
  writeFileSync(file, Buffer.concat([Buffer.alloc(offset, 0xff), new Uint8Array(values.buffer)]));
}

/** y = x·W₁·W₂·…. Every W is size x size and mapped from its place. x: [B, size]. */
export function products(size: number, places: readonly WeightPlace[], name = "products"): LoadableProgram {
  const length = 4 * size * size;
  let y: Node = input("x", ["B", size]);
  for (const i of places.keys()) y = matmul(y, parameter(`${i}`, [size, size]));
  return compile(
    { y },
    { name, bind: (i) => ({ source: fileSource(places[Number(i)].file), offset: places[Number(i)].offset, length }) },
  );
}
