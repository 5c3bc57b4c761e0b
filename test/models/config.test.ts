import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { readClipTextConfig, readUNetConfig, readVaeConfig } from "../../src/models/index.ts";

const readers = { unet: readUNetConfig, vae: readVaeConfig, text_encoder: readClipTextConfig };

/** Reads the config.json of a component of tiny-sd1 with one field changed. */
function read(component: keyof typeof readers, field: string, value: unknown): unknown {
  const path = new URL(`../fixtures/tiny-sd1/${component}/config.json`, import.meta.url);
  return readers[component]({ ...JSON.parse(readFileSync(path, "utf8")), [field]: value });
}

const numbers: [keyof typeof readers, string, range: string, fits: number][] = [
  ["unet", "norm_eps", "1e-12..0.1", 1e-6],
  ["unet", "freq_shift", "0..1", 1],
  ["vae", "scaling_factor", "0.001..1000", 0.13025],
  ["text_encoder", "layer_norm_eps", "1e-12..0.1", 1e-12],
];
const senseless = [1e308, -1e308, 5e-324, -1, Number.NaN, "1", { toString: 1 }];
test.each(
  numbers.flatMap(([component, field, range]) =>
    senseless
      .filter((value) => !(field === "freq_shift" && value === 5e-324))
      .map((value) => [component, field, range, value] as const),
  ),
)("%s: %s must be in %s, and is not if it is %s", (component, field, range, value) => {
  let error: unknown;
  try {
    read(component, field, value);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(CheckpointError);
  const found = typeof value === "object" ? '{"toString":1}' : typeof value === "string" ? `"${value}"` : `${value}`;
  expect((error as Error).message).toContain(`${component}/config.json`);
  expect((error as Error).message).toContain(`${field}: found ${found}, expected ${range}`);
});

test.each(numbers)("%s: %s must be in %s", (component, field, _, fits) => {
  expect(() => read(component, field, fits)).not.toThrow();
});
