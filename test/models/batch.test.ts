import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { noise, Random, type Tensor } from "../../src/core/index.ts";
import * as g from "../../src/graph/index.ts";
import {
  clipImageFeatures,
  clipText,
  decode,
  encode,
  readClipConfig,
  readClipTextConfig,
  readUNetConfig,
  readVaeConfig,
  timeShape,
  timestepSinusoids,
  unet,
} from "../../src/models/index.ts";
import { memorySource, readSafetensors, readTensor } from "../../src/weights/index.ts";
import { type Feeds, load, relativeError } from "../support/run.ts";

// A batch of one runs through other kernels of onnxruntime than larger batches, so they agree to 1e-5. In batches of two and
// more, a row does not depend on the others.

const at = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const json = (name: string): unknown => JSON.parse(readFileSync(at(name), "utf8"));

interface Model {
  name: string;
  outputs: Record<string, g.Node>;
  /** Three rows of every input. */
  inputs: Feeds;
  /** The weight file. */
  file: string;
  prefix?: string;
}

function uNet(folder: string): Model {
  const config = readUNetConfig(json(`${folder}/config.json`));
  const width = config.blocks[0].contextDim;
  const nodes = {
    sample: g.input("sample", ["B", 4, 16, 16]),
    time: g.input("time", timeShape(config, "B")),
    context: g.input("context", ["B", 7, width]),
  };
  const time = timestepSinusoids(config, [981, 441, 1]);
  return {
    name: `U-Net ${folder}`,
    outputs: { eps: unet(config, nodes) },
    inputs: { sample: noise([3, 4, 16, 16], 1), time, context: noise([3, 7, width], 2) },
    file: `${folder}/diffusion_pytorch_model.safetensors`,
  };
}

function vae(): Model {
  const config = readVaeConfig(json("tiny-sd2/vae/config.json"));
  const { mean } = encode(config, g.input("picture", ["B", 3, 32, 24]));
  return {
    name: "VAE",
    outputs: { mean, decoded: decode(config, g.input("latent", ["B", config.latentChannels, 8, 6])) },
    inputs: { picture: noise([3, 3, 32, 24], 3), latent: noise([3, config.latentChannels, 8, 6], 4) },
    file: "tiny-sd2/vae/diffusion_pytorch_model.safetensors",
  };
}

function text(): Model {
  const config = readClipTextConfig(json("tiny-sd1/text_encoder/config.json"));
  const random = new Random(5);
  const data = Int32Array.from({ length: 3 * 77 }, () => random.below(config.vocabulary));
  return {
    name: "text encoder",
    outputs: { hidden: clipText(config, g.input("ids", ["B", 77], "int64")) },
    inputs: { ids: { shape: [3, 77], data } },
    file: "tiny-sd1/text_encoder/model.safetensors",
  };
}

function vision(): Model {
  const config = readClipConfig(json("clip-new/config.json"));
  const { size } = config.vision;
  return {
    name: "CLIP vision",
    outputs: { features: clipImageFeatures(config, g.input("pixels", ["B", 3, size, size])) },
    inputs: { pixels: noise([3, 3, size, size], 6) },
    file: "clip-new/model.safetensors",
  };
}

async function weightsOf({ file, outputs }: Model): Promise<Feeds> {
  const { tensors } = await readSafetensors(memorySource(file, new Uint8Array(readFileSync(at(file)))));
  const names = [...g.parametersOf(Object.values(outputs)).keys()];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readTensor(tensors.get(name)!)])));
}

const rowsOf = ({ shape, data }: Tensor, from: number, to: number): Tensor => {
  const size = data.length / shape[0];
  return { shape: [to - from, ...shape.slice(1)], data: data.slice(from * size, to * size) };
};
const cut = (inputs: Feeds, from: number, to: number): Feeds =>
  Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, rowsOf(x as Tensor, from, to)]));

const unets = ["tiny-sd1/unet", "tiny-sd2/unet", "unet-bk-small", "unet-bk-tiny", "unet-menagerie"];
describe.each([...unets.map(uNet), vae(), text(), vision()])("$name", (model) => {
  test("a row agrees with the row alone to 1e-5, and has the same bits in every batch of two or more", async () => {
    const weights = await weightsOf(model);
    const run = await load(model.outputs);
    const results = (from: number, to: number) => run({ ...cut(model.inputs, from, to), ...weights });
    const alone = [await results(0, 1), await results(1, 2), await results(2, 3)];
    const [three, first, last] = [await results(0, 3), await results(0, 2), await results(1, 3)];
    for (const name of Object.keys(model.outputs)) {
      expect(first[name].data, name).toEqual(rowsOf(three[name], 0, 2).data);
      expect(last[name].data, name).toEqual(rowsOf(three[name], 1, 3).data);
      for (const row of [0, 1, 2]) {
        expect(relativeError(alone[row][name], rowsOf(three[name], row, row + 1)), name).toBeLessThan(1e-5);
      }
    }
    await run.release();
  });
});
