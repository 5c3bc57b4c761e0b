import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import wabt from "wabt";
import { noise } from "../../src/core/index.ts";
import { type AdamNumbers, type AdamOptions, adamNumbers } from "../../src/graph/index.ts";
import { adamInPlace, inOneMemory } from "../../src/runtime/adamInPlace.ts";
import { ADAM_PROGRAM } from "../../src/runtime/adamProgram.ts";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

const update = (arrays: readonly Float32Array[], numbers: AdamNumbers): void =>
  adamInPlace({ kind: "adam", updates: [{ value: 0, first: 1, second: 2, gradient: 3 }], numbers }, (i) => arrays[i]);

test("the program is the assembled text", async () => {
  const { buffer } = (await wabt()).parseWat("adam.wat", read("../../src/runtime/adam.wat")).toBinary({});
  expect(ADAM_PROGRAM).toBe(Buffer.from(buffer).toString("base64"));
});

interface Case extends Required<AdamOptions> {
  readonly rate: number;
  readonly start: number[];
  readonly gradients: number[][];
  /** After each step. */
  readonly values: number[][];
}

// Made by tools/parity/adam.py with torch.optim.
const cases = Object.entries(JSON.parse(read("../fixtures/adam.json")) as Record<string, Case>);

test.each(cases)(
  "%s in place gives the values of PyTorch at every step",
  (_, { rate, start, gradients, values, ...options }) => {
    const zeros = new Float32Array(start.length);
    const state = inOneMemory([Float32Array.from(start), zeros, zeros]);
    for (const [i, gradient] of gradients.entries()) {
      update([...state, Float32Array.from(gradient)], adamNumbers(i + 1, rate, options));
      values[i].forEach((expected, k) => {
        expect(Math.abs(state[0][k] - expected)).toBeLessThan(1e-6 * Math.max(1, Math.abs(expected)));
      });
    }
  },
);

/** A step in double precision, rounded at its end. */
function expectedStep([x, m, v, g]: readonly Float32Array[], { beta1, beta2, rate, eps, decay }: AdamNumbers) {
  const first = m.map((one, i) => beta1 * one + g[i]);
  const second = v.map((one, i) => beta2 * one + g[i] ** 2);
  const value = x.map((one, i) => decay * one - (rate * (beta1 * m[i] + g[i])) / (Math.sqrt(second[i]) + eps));
  return [value, first, second];
}

test.each([0, 1, 3, 4, 5, 8191, 8192, 8193, 20_000])(
  "all of %d numbers are updated, and nothing of the next array in the memory",
  (length) => {
    const [x, m, g, other] = [1, 2, 3, 4].map((seed) => noise([length], seed).data);
    const v = m.map((one) => one ** 2);
    const numbers = adamNumbers(3, 1e-2, { weightDecay: 0.1 });
    const [value, first, second, next] = inOneMemory([x, m, v, other]);
    update([value, first, second, g], numbers);
    const expected = expectedStep([x, m, v, g], numbers);
    for (const [k, found] of [value, first, second].entries()) {
      const errors = found.map((one, i) => Math.abs(one - expected[k][i]) / Math.max(1, Math.abs(expected[k][i])));
      expect(errors.every((error) => error < 1e-5)).toBe(true);
    }
    expect(next).toEqual(other);
  },
);

test("a weight and moments in different memories are refused, and none of them is changed", () => {
  const ones = new Float32Array(4).fill(1);
  const [[value, first], [second]] = [inOneMemory([ones, ones]), inOneMemory([ones])];
  expect(() => update([value, first, second, ones], adamNumbers(1, 1e-3))).toThrow(/not put into one memory/);
  for (const one of [value, first, second]) expect(one).toEqual(ones);
});
