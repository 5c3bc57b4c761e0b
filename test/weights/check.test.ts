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

/** What checking the fixture's weights says once `change` has changed them. */
function complaint(change: (weights: Map<string, TensorRef>) => void, ignorable?: RegExp[]): string[] {
  const weights = new Map(tensors);
  change(weights);
  try {
    checkWeights(expected, weights, { where: "unet", ignorable });
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return (error as Error).message.split("\n");
  }
  return [];
}

test("the weights that a model was saved with fit it", () => {
  expect(complaint(() => undefined)).toEqual([]);
});

test("missing, unexpected, mis-shaped and mistyped weights are all listed at once", async () => {
  const whole = { dtype: "I64", shape: [8, 4, 3, 3], data: new BigInt64Array(288) } as const;
  const ints = await readSafetensors(memorySource("ints", encodeSafetensors({ whole })));
  const lines = complaint((weights) => {
    weights.delete("conv_out.bias");
    weights.delete("mid_block.resnets.0.norm1.weight");
    weights.set("lora.weight", weights.get("conv_in.bias")!);
    weights.set("conv_norm_out.bias", { ...weights.get("conv_norm_out.bias")!, shape: [2, 2, 2] });
    weights.set("conv_in.weight", { ...ints.tensors.get("whole")!, shape: expected.get("conv_in.weight")! });
  });
  expect(lines[0]).toBe(
    "unet: the weights do not fit the configuration (2 missing, 1 unexpected, 2 of another shape or dtype)",
  );
  const shape = (name: string) => `[${expected.get(name)!.join(", ")}]`;
  expect(lines.slice(1).map((line) => line.replace(/\.$/, ""))).toEqual([
    `  "conv_in.weight": dtype I64, expected F32, F16, BF16`,
    `  "conv_norm_out.bias": shape [2, 2, 2], expected ${shape("conv_norm_out.bias")}`,
    `  "mid_block.resnets.0.norm1.weight": missing, expected ${shape("mid_block.resnets.0.norm1.weight")}`,
    `  "conv_out.bias": missing, expected ${shape("conv_out.bias")}`,
    `  "lora.weight": unexpected`,
  ]);
});

test("keys that may be there are not counted as unexpected", () => {
  const change = (weights: Map<string, TensorRef>) => weights.set("a.position_ids", weights.get("conv_in.bias")!);
  expect(complaint(change, [/position_ids$/])).toEqual([]);
  expect(complaint(change)[0]).toContain("1 unexpected");
});
