import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Tensor, tensor } from "../../src/core/index.ts";
import { type AdamOptions, adamScalars, adamStep, input } from "../../src/graph/index.ts";
import { load } from "../support/run.ts";

interface Case extends Required<AdamOptions> {
  readonly rate: number;
  readonly start: number[];
  readonly gradients: number[][];
  /** After each step. */
  readonly values: number[][];
}

// Made by tools/parity/adam.py with torch.optim.
const cases = Object.entries(
  JSON.parse(readFileSync(new URL("../fixtures/adam.json", import.meta.url), "utf8")) as Record<string, Case>,
);

const vector = (values: readonly number[]): Tensor => tensor([values.length], Float32Array.from(values));
const scalar = (value: number): Tensor => tensor([], Float32Array.of(value));

test.each(cases)(
  "%s as graph gives the values of PyTorch at every step",
  async (_, { rate, start, gradients, values, ...options }) => {
    const port = (name: string) => input(name, [start.length]);
    const state = { value: port("value"), first: port("first"), second: port("second") };
    const [rateNode, eps, decay] = ["rate", "eps", "decay"].map((name) => input(name, []));
    const next = adamStep(state, port("gradient"), { rate: rateNode, eps, decay }, options);
    const run = await load({ nextValue: next.value, nextFirst: next.first, nextSecond: next.second });
    let [value, first, second] = [vector(start), tensor([start.length]), tensor([start.length])];
    for (const [i, gradient] of gradients.entries()) {
      const scalars = Object.entries(adamScalars(i + 1, rate, options)).map(([name, x]) => [name, scalar(x)]);
      const given = Object.fromEntries(options.weightDecay ? scalars : scalars.slice(0, 2));
      const feeds = { value, first, second, gradient: vector(gradient), ...given };
      const results = await run(feeds);
      [value, first, second] = [results.nextValue, results.nextFirst, results.nextSecond];
      values[i].forEach((expected, k) => {
        expect(Math.abs(value.data[k] - expected)).toBeLessThan(1e-6 * Math.max(1, Math.abs(expected)));
      });
    }
    await run.release();
  },
);
