import * as g from "../graph/index.ts";

/** Size of a piece of a U-Net. Places are the pixels of its latents. */
export interface PieceSize {
  readonly rows: number;
  readonly channels: number;
  /** Groups of the group normalisation. They divide `channels`. */
  readonly groups: number;
  /** Heads of the attention. They divide `channels`. */
  readonly heads: number;
  /** Tokens of a text, [rows, tokens, channels], whose embedding is constant. */
  readonly tokens: number;
  readonly height: number;
  readonly width: number;
}

/** Makes a weight of a piece, [out, in, ...]. */
export type WeightOf = (shape: readonly number[]) => g.Node;

const ones = (n: number): g.Node => g.constant(new Float32Array(n).fill(1), [n]);
const zeros = (n: number): g.Node => g.constant(new Float32Array(n), [n]);

/** Residual block: twice group normalisation, SiLU and a 3x3 convolution. x: [rows, channels, height, width], as the result. */
function resnet(x: g.Node, weight: WeightOf, { channels, groups }: PieceSize): g.Node {
  const part = (input: g.Node): g.Node =>
    g.conv2d(
      g.silu(g.groupNorm(input, ones(channels), zeros(channels), groups, 1e-5)),
      weight([channels, channels, 3, 3]),
      undefined,
      { stride: 1, pads: [1, 1, 1, 1] },
    );
  return g.add(x, part(part(x)));
}

/** Attention over all places, then to a text, then a feed-forward layer. x: [rows, channels, height, width], as the result. */
function transformer(x: g.Node, weight: WeightOf, size: PieceSize): g.Node {
  const { rows, channels, heads, tokens, height, width } = size;
  const square = (input: g.Node): g.Node => g.linear(input, weight([channels, channels]));
  const norm = (input: g.Node): g.Node => g.layerNorm(input, ones(channels), zeros(channels), 1e-5);
  const attend = (to: g.Node, from: g.Node): g.Node => {
    const normed = norm(from);
    return g.add(from, square(g.attention(square(normed), square(to), square(to), { heads })));
  };
  const flat = g.transpose(g.reshape(x, [rows, channels, height * width]), [0, 2, 1]);
  const text = g.constant(new Float32Array(rows * tokens * channels).fill(0.1), [rows, tokens, channels]);
  const seen = attend(text, attend(norm(flat), flat));
  const wide = g.gelu(g.linear(norm(seen), weight([4 * channels, channels])));
  const y = g.add(seen, g.linear(wide, weight([channels, 4 * channels])));
  return g.reshape(g.transpose(y, [0, 2, 1]), [rows, channels, height, width]);
}

/**
 * Returns a piece of a U-Net: `blocks` times a residual block and a transformer. x: [rows, channels, height, width], as the
 * result.
 */
export function networkPiece(x: g.Node, weight: WeightOf, size: PieceSize, blocks: number): g.Node {
  let h = x;
  for (let block = 0; block < blocks; block++) h = transformer(resnet(h, weight, size), weight, size);
  return h;
}
