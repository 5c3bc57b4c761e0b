import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CheckpointError } from "../../src/core/index.ts";
import { input, parametersOf } from "../../src/graph/index.ts";
import { readUNetConfig, timeShape, unet } from "../../src/models/index.ts";
import {
  checkWeights,
  encodeSafetensors,
  memorySource,
  readSafetensors,
  type TensorRef,
  unusedWeightsWarning,
} from "../../src/weights/index.ts";

const folder = new URL("../fixtures/tiny-sd1/unet/", import.meta.url);
const config = readUNetConfig(JSON.parse(readFileSync(new URL("config.json", folder), "utf8")));
const sample = input("sample", [1, 4, 8, 8]);
const context = input("context", [1, 5, config.blocks[0].contextDim]);
const expected = new Map(
  [...parametersOf([unet(config, { sample, time: input("time", timeShape(config, 1)), context })])].map(
    ([name, node]) => [name, node.shape as number[]],
  ),
);
const bytes = new Uint8Array(readFileSync(new URL("diffusion_pytorch_model.safetensors", folder)));
const { tensors } = await readSafetensors(memorySource("unet.safetensors", bytes));

/** Checks the fixture's weights once `change` has changed them. Returns the lines of the error, or the unused weights. */
function checked(change: (weights: Map<string, TensorRef>) => void, ignorable?: RegExp[]): string[] {
  const weights = new Map(tensors);
  change(weights);
  try {
    return checkWeights(expected, weights, { where: "unet", ignorable });
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return (error as Error).message.replace(/\.$/, "").split("\n");
  }
}

test("the weights of a saved model fit its configuration", () => {
  expect(checked(() => undefined)).toEqual([]);
});

const whole = { dtype: "I64", shape: [8, 4, 3, 3], data: new BigInt64Array(288) } as const;
const ints = await readSafetensors(memorySource("ints", encodeSafetensors({ whole })));
const someInts = ints.tensors.get("whole")!;

test("missing weights and those of another shape or dtype are listed at once; unused ones are not", async () => {
  const lines = checked((weights) => {
    weights.delete("conv_out.bias");
    weights.delete("mid_block.resnets.0.norm1.weight");
    weights.set("lora.weight", weights.get("conv_in.bias")!);
    weights.set("conv_norm_out.bias", { ...weights.get("conv_norm_out.bias")!, shape: [2, 2, 2] });
    weights.set("conv_in.weight", { ...someInts, shape: expected.get("conv_in.weight")! });
  });
  expect(lines[0]).toBe(
    "unet: the weights do not fit the model's configuration, take both from the same model (2 missing, 1 of another shape, 1 of another dtype than F32, F16, BF16)",
  );
  const shape = (name: string) => `[${expected.get(name)!.join(", ")}]`;
  expect(lines.slice(1)).toEqual([
    `  "conv_norm_out.bias": shape [2, 2, 2], expected ${shape("conv_norm_out.bias")}`,
    `  "conv_in.weight": dtype I64`,
    `  "mid_block.resnets.0.norm1.weight": missing, expected ${shape("mid_block.resnets.0.norm1.weight")}`,
    `  "conv_out.bias": missing, expected ${shape("conv_out.bias")}`,
  ]);
});

test("unused weights are returned, except those known from old files", () => {
  const change = (weights: Map<string, TensorRef>) => weights.set("a.position_ids", weights.get("conv_in.bias")!);
  expect(checked(change, [/position_ids$/])).toEqual([]);
  expect(checked(change)).toEqual(["a.position_ids"]);
});

test("quantised weights are refused in a few lines, and the first says what to use instead", () => {
  const lines = checked((weights) => {
    for (const [key, ref] of weights) weights.set(key, { ...ref, dtype: "F8_E4M3" });
  });
  expect(lines[0]).toBe(`unet: ${expected.size} weights have dtype F8_E4M3, use the model's file in F32, F16 or BF16`);
  expect(lines).toHaveLength(5);
});

test("the warning of unused weights names a few of them, however many there are", () => {
  expect(unusedWeightsWarning([], "sd.safetensors")).toEqual([]);
  const [one] = unusedWeightsWarning(["logit_scale"], "sd.safetensors");
  expect(one.message).toBe(
    "sd.safetensors: 1 weight belongs to no part of the model and will not be used: logit_scale",
  );
  const [many] = unusedWeightsWarning(
    Array.from({ length: 5000 }, (_, k) => `${"lora_".repeat(90)}${k}`),
    "sd",
  );
  expect(many.message).toMatch(/^sd: 5000 weights belong to .*, 4992 more$/);
  expect(many.message.length).toBeLessThan(1000);
  expect(many).toMatchObject({ code: "unused-weights", details: { where: "sd", count: 5000 } });
  expect(many.details?.names).toHaveLength(20);
});
