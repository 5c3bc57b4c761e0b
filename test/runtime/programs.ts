import { writeFileSync } from "node:fs";
import { compile, input, matmul, type Node, parameter } from "../../src/graph/index.ts";
import type { LoadableProgram } from "../../src/runtime/index.ts";
import { fileSource } from "../../src/runtime/node/index.ts";

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
