/** Every operation on dense arrays of doubles, written index by index: slow, but easy to check. */
export interface Nd {
  shape: readonly number[];
  data: number[];
}

const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Builds an array: the element at an index is `f` of that index. */
export function build(shape: readonly number[], f: (index: readonly number[]) => number): Nd {
  const index = shape.map(() => 0);
  const data = Array.from({ length: count(shape) }, () => {
    const value = f(index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
    return value;
  });
  return { shape, data };
}

/** The element at an index, with broadcasting as in NumPy. */
function at({ shape, data }: Nd, index: readonly number[]): number {
  const lead = index.length - shape.length;
  let flat = 0;
  for (let axis = 0; axis < shape.length; axis++)
    flat = flat * shape[axis] + (shape[axis] === 1 ? 0 : index[axis + lead]);
  return data[flat];
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const total = (n: number, f: (i: number) => number): number => range(n).reduce((sum, i) => sum + f(i), 0);

/** The shape that two shapes broadcast to. */
function common(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return range(rank).map((i) => Math.max(a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1));
}

export const unary =
  (f: (x: number) => number) =>
  ([x]: Nd[]) =>
    build(x.shape, (i) => f(at(x, i)));
export const binary =
  (f: (a: number, b: number) => number) =>
  ([a, b]: Nd[]) =>
    build(common(a.shape, b.shape), (i) => f(at(a, i), at(b, i)));

/** erf by its series, which has double precision for |x| ≤ 3. */
export function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** For each element of the kept axes, `f` of the elements along `axes`. */
export const reduction =
  (axes: readonly number[], keep: boolean, f: (values: number[]) => number) =>
  ([x]: Nd[]): Nd => {
    const kept = x.shape.map((d, a) => (axes.includes(a) ? 1 : d));
    const groups = new Map<string, number[]>();
    build(x.shape, (index) => {
      const key = index.map((i, a) => (axes.includes(a) ? 0 : i)).join();
      groups.set(key, [...(groups.get(key) ?? []), at(x, index)]);
      return 0;
    });
    const out = build(kept, (index) => f(groups.get(index.join())!));
    return keep ? out : { ...out, shape: x.shape.filter((_, a) => !axes.includes(a)) };
  };

const sumOf = (values: number[]): number => values.reduce((s, v) => s + v, 0);
export const meanOf = (values: number[]): number => sumOf(values) / values.length;
export { sumOf };

export const softmax = ([x]: Nd[]): Nd => {
  const sums = reduction([x.shape.length - 1], true, (row) => sumOf(row.map(Math.exp)))([x]);
  return build(x.shape, (i) => Math.exp(at(x, i)) / at(sums, i));
};

/** (x − mean)/√(variance + ε) over groups of elements, then scale and shift. `group` names an element's group. */
const normalised =
  (eps: number, group: (index: readonly number[]) => string, channel: (index: readonly number[]) => number) =>
  ([x, weight, bias]: Nd[]): Nd => {
    const groups = new Map<string, number[]>();
    build(x.shape, (i) => {
      groups.set(group(i), [...(groups.get(group(i)) ?? []), at(x, i)]);
      return 0;
    });
    return build(x.shape, (i) => {
      const values = groups.get(group(i))!;
      const mu = meanOf(values);
      const deviation = Math.sqrt(meanOf(values.map((v) => (v - mu) ** 2)) + eps);
      return ((at(x, i) - mu) / deviation) * weight.data[channel(i)] + bias.data[channel(i)];
    });
  };
export const groupNorm = (channels: number, groups: number, eps: number) =>
  normalised(
    eps,
    ([b, c]) => `${b},${Math.floor((c * groups) / channels)}`,
    ([, c]) => c,
  );
export const layerNorm = (eps: number) =>
  normalised(
    eps,
    (i) => i.slice(0, -1).join(),
    (i) => i.at(-1)!,
  );

export const matmul =
  ({ transA, transB, alpha }: { transA: boolean; transB: boolean; alpha: number }) =>
  ([a, b]: Nd[]): Nd => {
    const [m, k] = transA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
    const n = transB ? b.shape.at(-2)! : b.shape.at(-1)!;
    return build([...common(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n], (index) => {
      const [lead, i, j] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
      const left = (x: number) => at(a, [...lead, ...(transA ? [x, i] : [i, x])]);
      const right = (x: number) => at(b, [...lead, ...(transB ? [j, x] : [x, j])]);
      return alpha * total(k, (x) => left(x) * right(x));
    });
  };

/** x·Wᵀ + b */
export const linear = ([x, weight, bias]: Nd[]): Nd => {
  const product = matmul({ transA: false, transB: true, alpha: 1 })([x, weight]);
  return bias ? binary((a, b) => a + b)([product, bias]) : product;
};

/** Each row rounded to whole multiples of its largest number / 127. */
const inBytes = ({ shape, data }: Nd): Nd => {
  const length = shape[shape.length - 1];
  const scales = data.map((_, k) => {
    const from = k - (k % length);
    return Math.max(...data.slice(from, from + length).map(Math.abs)) / 127;
  });
  return { shape, data: data.map((v, k) => Math.round(v / scales[k]) * scales[k]) };
};

/** x·Wᵀ + b with rounded rows of x and W. */
export const linearInt8 = ([x, weight, bias]: Nd[]): Nd =>
  linear([inBytes(x), inBytes(weight), ...(bias ? [bias] : [])]);

export const attention =
  (heads: number, causal: boolean) =>
  ([q, k, v]: Nd[]): Nd => {
    const [batch, rows, width] = q.shape;
    const depth = width / heads;
    const each = v.shape[2] / heads;
    return build([batch, rows, v.shape[2]], ([b, i, c]) => {
      const head = Math.floor(c / each);
      const score = (j: number) =>
        total(depth, (d) => at(q, [b, i, head * depth + d]) * at(k, [b, j, head * depth + d]));
      const seen = range(k.shape[1]).filter((j) => !causal || j <= i);
      const weights = seen.map((j) => Math.exp(score(j) / Math.sqrt(depth)));
      return sumOf(seen.map((j, n) => weights[n] * at(v, [b, j, c]))) / sumOf(weights);
    });
  };

type Window = { stride: number; pads: readonly number[] };
/** All products of a convolution: row and column of output, input and kernel. */
function* taps([height, width]: number[], [h, w]: number[], [kh, kw]: number[], { stride, pads }: Window) {
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++)
      for (let i = 0; i < kh; i++)
        for (let j = 0; j < kw; j++) {
          const [r, c] = [y * stride + i - pads[0], x * stride + j - pads[1]];
          if (r >= 0 && c >= 0 && r < height && c < width) yield { y, x, r, c, i, j };
        }
}

/** All combinations of batch row, output channel and input channel. */
const channelPairs = (batch: number, out: number, channels: number): number[][] =>
  range(batch).flatMap((b) => range(out).flatMap((o) => range(channels).map((c) => [b, o, c])));

export const conv2d =
  (window: Window, [h, w]: number[]) =>
  ([x, weight, bias]: Nd[]): Nd => {
    const [out, channels] = weight.shape;
    const y = build([x.shape[0], out, h, w], ([, o]) => bias?.data[o] ?? 0);
    const pairs = channelPairs(x.shape[0], out, channels);
    for (const t of taps(x.shape.slice(2), [h, w], weight.shape.slice(2), window)) {
      for (const [b, o, c] of pairs)
        y.data[((b * out + o) * h + t.y) * w + t.x] += at(x, [b, c, t.r, t.c]) * at(weight, [o, c, t.i, t.j]);
    }
    return y;
  };

/** The transpose of conv2d from [height, width]: spreads each input element through the kernel. */
export const convTranspose2d =
  (window: Window, [height, width]: number[]) =>
  ([x, weight]: Nd[]): Nd => {
    const [out, channels] = weight.shape;
    const y = build([x.shape[0], channels, height, width], () => 0);
    const pairs = channelPairs(x.shape[0], out, channels);
    for (const t of taps([height, width], x.shape.slice(2), weight.shape.slice(2), window)) {
      for (const [b, o, c] of pairs)
        y.data[((b * channels + c) * height + t.r) * width + t.c] +=
          at(x, [b, o, t.y, t.x]) * at(weight, [o, c, t.i, t.j]);
    }
    return y;
  };

export interface Pooling extends Window {
  kernel: number;
  pads: [number, number, number, number];
  ceil: boolean;
}
/** The number of windows along an axis of n elements: the last begins inside the picture. */
function windows(n: number, before: number, after: number, { kernel, stride, ceil }: Pooling): number {
  const starts = range(n + before + after).map((i) => i * stride);
  return starts.filter((start) =>
    ceil ? start < n + before && start - stride + kernel < n + before + after : start + kernel <= n + before + after,
  ).length;
}
/** For each window, the place of its maximum in x. */
function maxima(x: Nd, pooling: Pooling): { shape: number[]; places: number[] } {
  const [batch, channels, height, width] = x.shape;
  const [top, left, bottom, right] = pooling.pads;
  const [h, w] = [windows(height, top, bottom, pooling), windows(width, left, right, pooling)];
  const shape = [batch, channels, h, w];
  const places = Array<number>(count(shape)).fill(-1);
  for (const t of taps([height, width], [h, w], [pooling.kernel, pooling.kernel], pooling)) {
    for (const b of range(batch * channels)) {
      const [from, to] = [(b * height + t.r) * width + t.c, (b * h + t.y) * w + t.x];
      if (places[to] < 0 || x.data[from] > x.data[places[to]]) places[to] = from;
    }
  }
  return { shape, places };
}
export const gatherMaxima =
  (pooling: Pooling) =>
  ([v, x]: Nd[]): Nd => {
    const { shape, places } = maxima(x, pooling);
    return { shape, data: places.map((place) => v.data[place]) };
  };
export const maxPool =
  (pooling: Pooling) =>
  ([x]: Nd[]): Nd =>
    gatherMaxima(pooling)([x, x]);
export const scatterMaxima =
  (pooling: Pooling) =>
  ([dy, x]: Nd[]): Nd => {
    const data = x.data.map(() => 0);
    for (const [i, place] of maxima(x, pooling).places.entries()) data[place] += dy.data[i];
    return { shape: x.shape, data };
  };

/** The kernel with which a plain convolution is the transposed convolution with `weight`. */
export const flipKernel = ([weight]: Nd[]): Nd => {
  const [out, channels, height, width] = weight.shape;
  return build([channels, out, height, width], ([c, o, i, j]) => at(weight, [o, c, height - 1 - i, width - 1 - j]));
};

export const reshape =
  (shape: readonly number[]) =>
  ([{ data }]: Nd[]): Nd => ({ shape, data: [...data] });
export const broadcastLike = ([x, like]: Nd[]): Nd => build(like.shape, (i) => at(x, i));
export const transpose =
  (order: readonly number[]) =>
  ([x]: Nd[]): Nd =>
    build(
      order.map((a) => x.shape[a]),
      (index) =>
        at(
          x,
          x.shape.map((_, a) => index[order.indexOf(a)]),
        ),
    );
/** Index `i` along `axis`, other axes as they are. */
const moved = (index: readonly number[], axis: number, i: number): number[] =>
  index.map((d, a) => (a === axis ? i : d));
const resized = (shape: readonly number[], axis: number, n: number): number[] => moved(shape, axis, n);

export const concat =
  (axis: number) =>
  (xs: Nd[]): Nd =>
    build(resized(xs[0].shape, axis, sumOf(xs.map((x) => x.shape[axis]))), (index) => {
      let i = index[axis];
      const x = xs.find(({ shape }) => {
        if (i < shape[axis]) return true;
        i -= shape[axis];
        return false;
      })!;
      return at(x, moved(index, axis, i));
    });
export const slice =
  (axis: number, from: number, to: number, step: number) =>
  ([x]: Nd[]): Nd =>
    build(resized(x.shape, axis, Math.ceil((to - from) / step)), (index) =>
      at(x, moved(index, axis, from + step * index[axis])),
    );
export const pad =
  (axis: number, before: number, after: number) =>
  ([x]: Nd[]): Nd =>
    build(resized(x.shape, axis, x.shape[axis] + before + after), (index) => {
      const i = index[axis] - before;
      return i < 0 || i >= x.shape[axis] ? 0 : at(x, moved(index, axis, i));
    });
export const gather = ([table, index]: Nd[]): Nd =>
  build([...index.shape, ...table.shape.slice(1)], (i) =>
    at(table, [at(index, i.slice(0, index.shape.length)), ...i.slice(index.shape.length)]),
  );
export const scatterAdd = ([dy, index, like]: Nd[]): Nd =>
  build(like.shape, ([row, ...rest]) =>
    total(index.data.length, (n) => (index.data[n] === row ? at(dy, [n, ...rest]) : 0)),
  );
export const upsample2x = ([x]: Nd[]): Nd =>
  build([...x.shape.slice(0, 2), 2 * x.shape[2], 2 * x.shape[3]], ([b, c, i, j]) => at(x, [b, c, i >> 1, j >> 1]));
export const sumPool2x = ([x]: Nd[]): Nd =>
  build([...x.shape.slice(0, 2), x.shape[2] / 2, x.shape[3] / 2], ([b, c, i, j]) =>
    total(4, (n) => at(x, [b, c, 2 * i + (n >> 1), 2 * j + (n & 1)])),
  );
