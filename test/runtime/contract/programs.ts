import {
  adamStep,
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
  sum,
} from "../../../src/graph/index.ts";
import { type Engine, targetOf } from "../../../src/runtime/index.ts";

const program = ({ device }: Engine, name: string, outputs: Record<string, Node>): Program =>
  compile(outputs, { name, target: targetOf(device), bind: () => "fed" });

/** y = x + x, for any batch of rows of three; z = 3x. */
export function doubling(engine: Engine): Program {
  const x = input("x", ["B", 3]);
  return program(engine, "doubling", { y: add(x, x), z: add(x, add(x, x)) });
}

/** Rows of a table by their numbers. Inputs: table [4, 2], index [n]. */
export const picking = (engine: Engine, n: number): Program =>
  program(engine, "picking", { rows: gather(input("table", [4, 2]), input("index", [n], "int64")) });

/** log x and 1/x: NaN below 0, infinite at 0. */
export function delicate(engine: Engine): Program {
  const x = input("x", [4]);
  return program(engine, "delicate", { log: log(x), inverse: div(1, x), same: add(x, 0) });
}

/** A table of 2^48 bytes, more than any process can address. x: [2^23, 1], y: [1, 2^23]. */
export function enormous(engine: Engine): Program {
  const [x, y] = [input("x", [2 ** 23, 1]), input("y", [1, 2 ** 23])];
  return program(engine, "enormous", { sum: sum(mul(x, y)) });
}

/** next = x + y and product = x·y, each of `length` numbers. */
export function accumulating(engine: Engine, length: number): Program {
  const [x, y] = [input("x", [length]), input("y", [length])];
  return program(engine, "accumulating", { next: add(x, y), product: mul(x, y) });
}

/** A step of Adam with weight decay: next value, first and second. */
export function adam(engine: Engine, shape: readonly number[], weightDecay: number): Program {
  const [value, first, second, gradient] = ["value", "first", "second", "gradient"].map((name) => input(name, shape));
  const [rate, eps, decay] = ["rate", "eps", "decay"].map((name) => input(name, []));
  const next = adamStep({ value, first, second }, gradient, { rate, eps, decay }, { weightDecay });
  const outputs = Object.entries(next).map(([name, node]) => [`next ${name}`, node]);
  return program(engine, "adam", Object.fromEntries(outputs));
}

/** x multiplied by itself `times` times. x: [1024, 1024]. */
function power(x: Node, times: number): Node {
  let y = x;
  for (let i = 0; i < times; i++) y = matmul(y, x);
  return y;
}

/** A native call of some seconds: 2 GFLOP for each of `times`. x: [1024, 1024]. */
export const slow = (engine: Engine, times = 400): Program =>
  program(engine, "slow", { y: power(input("x", [1024, 1024]), times) });

/** As slow as `slow`, but in loading, when onnxruntime computes constant values. */
export const slowToLoad = (engine: Engine): Program =>
  program(engine, "slow to load", {
    y: add(input("x", [1024, 1024]), power(constant(new Float32Array(2 ** 20), [1024, 1024]), 400)),
  });
