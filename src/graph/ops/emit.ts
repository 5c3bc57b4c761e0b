import type { Emitter } from "../operation.ts";
import { isSymbolic, type Shape } from "../shape.ts";

/** Adds a Reshape. A length that depends on the batch is copied from the same axis of the input (0), or inferred (−1). */
export const emitReshape = (out: Emitter, x: string, from: Shape, to: Shape): string =>
  out.node("Reshape", [x, out.ints(to.map((d, i) => (isSymbolic(d) ? (from[i] === d ? 0 : -1) : d)))]);
