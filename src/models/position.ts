import { CheckpointError, type Size, type Tensor, tensor } from "../core/index.ts";
import type { UNetConfig } from "./unet-config.ts";

/** Part of a grid of positions, in its cells. */
export interface GridBox {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Name of the grid of positions among the weights of a U-Net that was tuned with one. No checkpoint has it. */
export const positionWeight = "position";

/** Shape of a grid of positions for latents of a size, [1, C₀, h, w]. */
export const positionShape = ({ blocks }: UNetConfig, { height, width }: Size): number[] => [
  1,
  blocks[0].channels,
  height,
  width,
];

/**
 * Grid of the positions in a box, to be added to conv_in's output, [1, C₀, h, w]: the first half of the channels is the
 * sinusoids of the column, the second half those of the row. The box is resized to h × w, bilinearly and with aligned
 * corners. Zhang et al. 2023 (SINE); github.com/zhang-zx/SINE, UNetModelPatch.
 */
export function positionGrid(config: UNetConfig, box: GridBox, { height, width }: Size): Tensor {
  const shape = positionShape(config, { height, width });
  const [, channels] = shape;
  if (channels % 4 !== 0 || channels < 8) {
    throw new CheckpointError("a grid of positions does not fit the U-Net", {
      where: "conv_in",
      found: `${channels} channels`,
      expected: "a multiple of 4, at least 8",
    });
  }
  const half = channels / 2;
  const columns = axis(half, box.left, box.width, width);
  const rows = axis(half, box.top, box.height, height);
  const { data } = tensor(shape);
  for (let c = 0; c < half; c++) {
    for (let y = 0; y < height; y++) {
      const row = (c * height + y) * width;
      data.set(columns.subarray(c * width, (c + 1) * width), row);
      data.fill(rows[c * height + y], half * height * width + row, half * height * width + row + width);
    }
  }
  return { shape, data };
}

/**
 * Sinusoids of the positions start + 1 to start + length, resized to `out` values, [C, out]: C/2 sines, then C/2 cosines, of
 * frequencies from 1 to 1/10000. Positions count from 1. Each operation is rounded to float32, as in PyTorch.
 */
function axis(channels: number, start: number, length: number, out: number): Float32Array {
  const half = channels / 2;
  const values = new Float32Array(channels * out);
  const step = Math.fround(-Math.log(10000) / (half - 1));
  const scale = out > 1 ? Math.fround((length - 1) / (out - 1)) : 0;
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(Math.exp(Math.fround(i * step)));
    const angle = (cell: number): number => Math.fround((start + 1 + cell) * frequency);
    for (let k = 0; k < out; k++) {
      const at = Math.fround(scale * k);
      const [from, to] = [Math.floor(at), Math.floor(at) + 1].map((cell) => Math.min(cell, length - 1));
      const share = at - from;
      for (const [c, wave] of [Math.sin, Math.cos].entries()) {
        const [a, b] = [from, to].map((cell) => Math.fround(wave(angle(cell))));
        values[(c * half + i) * out + k] = (1 - share) * a + share * b;
      }
    }
  }
  return values;
}
