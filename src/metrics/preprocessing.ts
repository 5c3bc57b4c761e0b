import { z } from "zod";
import { between, type Picture, type Tensor, tensor, whole } from "../core/index.ts";
import { crop, type Filter, resize } from "../image/index.ts";
import { only, readConfig } from "../models/index.ts";

const side = whole(1, 4096);
const perChannel = <T extends z.ZodNumber>(value: T) => z.tuple([value, value, value]);
/** Names of classes and formats of results, which do not affect the numbers. */
const bookkeeping = z.unknown().optional();

const schema = z.strictObject({
  image_processor_type: bookkeeping,
  feature_extractor_type: bookkeeping,
  processor_class: bookkeeping,
  data_format: bookkeeping,
  input_data_format: bookkeeping,
  return_tensors: bookkeeping,
  device: bookkeeping,
  disable_grouping: bookkeeping,
  do_resize: only(true),
  do_center_crop: only(true),
  do_rescale: only(true),
  do_normalize: only(true),
  do_convert_rgb: only(true),
  default_to_square: only(false),
  use_square_size: only(false),
  size: z
    .union([side, z.strictObject({ shortest_edge: side })], { error: "expected a side, or {shortest_edge}" })
    .default(224),
  crop_size: z
    .union([side, z.strictObject({ height: side, width: side })], { error: "expected a side, or {height, width}" })
    .default(224),
  resample: whole(0, 3).default(3),
  rescale_factor: between(1e-6, 1).default(1 / 255),
  image_mean: perChannel(between(-1000, 1000)),
  image_std: perChannel(between(1e-3, 1000)),
});

/** By Pillow's numbers. */
const filters: readonly Filter[] = ["nearest", "lanczos", "bilinear", "bicubic"];

/** Turns a picture into the input of CLIP's vision tower. */
export interface Preprocessing {
  /** The shorter side is resized to this. */
  readonly shortestEdge: number;
  /** Size of the centre crop. */
  readonly width: number;
  readonly height: number;
  readonly filter: Filter;
  /** (byte·factor − mean)/deviation, per channel. */
  readonly factor: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Reads a preprocessor_config.json. Throws CheckpointError that lists all fields that are not supported. */
export function readPreprocessing(config: unknown, where: string): Preprocessing {
  const c = readConfig(schema, config, where, "baret preprocesses pictures as transformers' CLIPImageProcessor does.");
  const { height, width } = typeof c.crop_size === "number" ? { height: c.crop_size, width: c.crop_size } : c.crop_size;
  return {
    shortestEdge: typeof c.size === "number" ? c.size : c.size.shortest_edge,
    width,
    height,
    filter: filters[c.resample],
    factor: c.rescale_factor,
    mean: c.image_mean,
    deviation: c.image_std,
  };
}

/** Resizes the shorter side, then crops the centre. Rounds as transformers does. */
function resizedAndCropped(picture: Picture, { shortestEdge, width, height, filter }: Preprocessing): Picture {
  const short = Math.min(picture.width, picture.height);
  const scaled = (size: number): number => Math.trunc((shortestEdge * size) / short);
  const small = resize(picture, scaled(picture.width), scaled(picture.height), filter);
  return crop(small, Math.floor((small.width - width) / 2), Math.floor((small.height - height) / 2), width, height);
}

/** Converts pictures of any sizes to the input of a vision tower: [n, 3, height, width]. */
export function pixelsOf(pictures: readonly Picture[], preprocessing: Preprocessing): Tensor {
  const { width, height, factor, mean, deviation } = preprocessing;
  const plane = width * height;
  const pixels = tensor([pictures.length, 3, height, width]);
  const values = mean.map((m, c) =>
    Float32Array.from({ length: 256 }, (_, byte) => (byte * factor - m) / deviation[c]),
  );
  for (const [n, picture] of pictures.entries()) {
    const { data } = resizedAndCropped(picture, preprocessing);
    for (let c = 0; c < 3; c++) {
      const start = (3 * n + c) * plane;
      for (let i = 0; i < plane; i++) pixels.data[start + i] = values[c][data[3 * i + c]];
    }
  }
  return pixels;
}
