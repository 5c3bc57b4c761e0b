import { expect, test } from "vitest";
import { CheckpointError, type IntTensor, type Picture, type Tensor } from "../../src/core/index.ts";
import { pixelsOf, readPreprocessing } from "../../src/metrics/preprocessing.ts";
import { fixture } from "../support/run.ts";
import { fixtures, preprocessor } from "./folders.ts";

// Made by tools/parity/metrics.py with transformers' CLIPImageProcessor on Pillow.
const reference = await fixture(`${fixtures}judge-tiny/reference.safetensors`);
const expected = reference.pixels as Tensor;
const pictures = Array.from({ length: expected.shape[0] }, (_, i): Picture => {
  const { shape, data } = reference[`picture${i}`] as IntTensor;
  return { width: shape[1], height: shape[0], data: Uint8Array.from(data) };
});
const modern = readPreprocessing(preprocessor(32), "modern");

test("pictures of all shapes give the same tensors as in transformers", () => {
  const { shape, data } = pixelsOf(pictures, modern);
  expect(shape).toEqual(expected.shape);
  // One grey level would be 8e-3.
  expect(Math.max(...data.map((x, i) => Math.abs(x - expected.data[i])))).toBeLessThan(1e-6);
});

test("a picture of the right size is not resampled", () => {
  const { data } = pictures[0];
  const pixels = pixelsOf(pictures.slice(0, 1), modern);
  for (let i = 0; i < 32 * 32; i++) {
    for (let c = 0; c < 3; c++) expect(pixels.data[c * 1024 + i]).toBeCloseTo(data[3 * i + c] / 127.5 - 1, 6);
  }
});

/** preprocessor_config.json of openai/clip-vit-base-patch32, as it was first written. */
const legacy = {
  crop_size: 224,
  do_center_crop: true,
  do_normalize: true,
  do_resize: true,
  feature_extractor_type: "CLIPFeatureExtractor",
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  resample: 3,
  size: 224,
};

test("old and new configurations mean the same", () => {
  const today = {
    ...legacy,
    feature_extractor_type: undefined,
    image_processor_type: "CLIPImageProcessorFast",
    crop_size: { height: 224, width: 224 },
    size: { shortest_edge: 224 },
    do_rescale: true,
    rescale_factor: 0.00392156862745098,
    do_convert_rgb: true,
    default_to_square: false,
    data_format: "channels_first",
    device: null,
  };
  expect(readPreprocessing(today, "today")).toEqual(readPreprocessing(legacy, "legacy"));
  expect(readPreprocessing(legacy, "legacy")).toMatchObject({
    shortestEdge: 224,
    width: 224,
    height: 224,
    filter: "bicubic",
  });
});

test.each([
  [{ do_resize: false }, / do_resize: found false, expected true/],
  [
    { size: { height: 224, width: 224 } },
    / size: found \{"height":224,"width":224\}, expected a side, or \{shortest_edge\}/,
  ],
  [{ resample: 5 }, / resample: found 5, expected a whole number in 0..3/],
  [{ image_mean: [0.5] }, / image_mean: found \[0\.5\]/],
  [{ image_std: [1, 0, 1] }, / image_std\.1: found 0, expected 0\.001\.\.1000/],
  [{ image_mean: [1, 1e308, 1] }, / image_mean\.1: found 1e\+308, expected -1000\.\.1000/],
  [{ rescale_factor: 5e-324 }, / rescale_factor: found 5e-324, expected 0\.000001\.\.1/],
  [{ pan_and_scan: true }, /"pan_and_scan": not understood/],
])("an unsupported configuration is refused: %j", (change, message) => {
  const reading = () => readPreprocessing({ ...legacy, ...change }, "preprocessor_config.json");
  expect(reading).toThrow(CheckpointError);
  expect(reading).toThrow(message);
});
