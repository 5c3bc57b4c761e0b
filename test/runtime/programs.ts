import { writeFileSync } from "node:fs";
import {
  add,
  compile,
  div,
  gather,
  input,
  log,
  matmul,
  type Node,
  type Program,
  parameter,
} from "../../src/graph/index.ts";
import type { LoadableProgram } from "../../src/runtime/index.ts";

const program = (name: string, outputs: Record<string, Node>): Program => compile(outputs, { name, bind: () => "fed" });

/** y = x + x, for any batch of rows of three; z = 3x. */
export function doubling(): LoadableProgram {
  const x = input("x", ["B", 3]);
  return program("doubling", { y: add(x, x), z: add(x, add(x, x)) });
}

/** Rows of a table by index. Inputs: table [4, 2], index [n] of whole numbers. */
export const picking = (n: number): LoadableProgram =>
  program("picking", { rows: gather(input("table", [4, 2]), input("index", [n], "int64")) });

/** log x and 1/x: not a number below 0, infinite at 0. */
export function delicate(): LoadableProgram {
  const x = input("x", [4]);
  return program("delicate", { log: log(x), inverse: div(1, x), same: add(x, 0) });
}

/** x through `times` products with itself: some seconds inside one native call. */
export function slow(times = 400): LoadableProgram {
  const x = input("x", [1024, 1024]);
  let y = x;
  for (let i = 0; i < times; i++) y = matmul(y, x);
  return program("slow", { y });
}

export interface WeightPlace {
  file: string;
  offset: number;
}

/** Writes a file that holds `values` from byte `offset` on. */
export function writeWeights({ file, offset }: WeightPlace, values: Float32Array): void {
  writeFileSync(file, Buffer.concat([Buffer.alloc(offset, 0xff), new Uint8Array(values.buffer)]));
}

/** y = x·W₁·W₂·…, where every W is size x size and mapped from its place. x: [B, size]. */
export function products(size: number, places: readonly WeightPlace[], name = "products"): LoadableProgram {
  const length = 4 * size * size;
  let y: Node = input("x", ["B", size]);
  for (const i of places.keys()) y = matmul(y, parameter(`${i}`, [size, size]));
  return compile({ y }, { name, bind: (i) => ({ ...places[Number(i)], length }) });
}
