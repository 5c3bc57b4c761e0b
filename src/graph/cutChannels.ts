import { dtypeBytes, make, type Node, type Traits } from "./operation.ts";
import { add, type ConvolutionOptions, concat, conv2d, groupNorm, slice } from "./ops/index.ts";
import { inOrder, rebuilt } from "./order.ts";
import { count, fixed, isSymbolic } from "./shape.ts";

type Parts = readonly Node[];
/** Returns the parts of a value. Undefined if it cannot be computed in parts. */
type Rule = (node: Node) => Parts | undefined;

/** Returns the bytes of a picture [B, C, H, W] whose batch is fixed. 0 for any other value. */
const pictureBytes = ({ shape, dtype }: Node): number =>
  shape.length === 4 && !shape.some(isSymbolic) ? dtypeBytes[dtype] * count(shape) : 0;

const channelsOf = (x: Node): number => fixed(x.shape, 1);

/** Cuts `axis` of x into equal parts. */
function split(x: Node, axis: number, parts: number): Parts {
  const length = fixed(x.shape, axis) / parts;
  return Array.from({ length: parts }, (_, k) => slice(x, axis, k * length, (k + 1) * length));
}

/** The values of a graph, each as a whole or in equal parts of its channels. */
class Cut {
  private readonly buffer: number;
  private readonly parts = new Map<Node, Parts>();
  private readonly joined = new Map<Node, Node>();
  private readonly rules: Readonly<Record<string, Rule>>;

  constructor(buffer: number) {
    this.buffer = buffer;
    const each: Rule = (node) => this.eachChannel(node);
    this.rules = {
      conv2d: (node) => this.convolution(node),
      groupNorm: (node) => this.normalisation(node),
      upsample2x: each,
      silu: each,
      add: each,
      cast: each,
    };
  }

  /** Adds a value, whose inputs are there already. */
  append(node: Node): void {
    const isInvolved = this.needed(node) > 1 || node.inputs.some((x) => this.parts.get(x)!.length > 1);
    const parts = isInvolved ? this.rules[node.op.name]?.(node) : undefined;
    const whole = () => [
      rebuilt(
        node,
        node.inputs.map((x) => this.whole(x)),
      ),
    ];
    this.parts.set(node, parts ?? whole());
  }

  whole(node: Node): Node {
    const whole = this.joined.get(node) ?? concat(this.parts.get(node)!, 1);
    this.joined.set(node, whole);
    return whole;
  }

  /** The smallest number of equal parts of which each fits into a buffer. */
  private needed(node: Node): number {
    let parts = Math.max(1, Math.ceil(pictureBytes(node) / this.buffer));
    while (parts > 1 && parts < channelsOf(node) && channelsOf(node) % parts !== 0) parts++;
    return parts;
  }

  /** The parts of x, cut further into `count` in all. Undefined if they are no equal parts of those. */
  private inParts(x: Node, count: number): Parts | undefined {
    const own = this.parts.get(x)!;
    if (x.shape.length !== 4 || channelsOf(x) % count !== 0 || count % own.length !== 0) return undefined;
    return own.flatMap((part) => split(part, 1, count / own.length));
  }

  /** A convolution is the sum of those of its input's parts, with the columns of the kernel that belong to each. */
  private convolution(node: Node): Parts {
    const [x, weight, bias] = node.inputs;
    const inputs = this.parts.get(x)!;
    const count = this.needed(node);
    const shifts = bias && split(this.whole(bias), 0, count);
    return split(this.whole(weight), 0, count).map((rows, j) => {
      const columns = split(rows, 1, inputs.length);
      const options = node.attrs as ConvolutionOptions;
      const sums = inputs.map((part, i) => conv2d(part, columns[i], i === 0 ? shifts?.[j] : undefined, options));
      return sums.reduce((total, one) => add(total, one));
    });
  }

  /** Groups of channels are normalised apart. */
  private normalisation(node: Node): Parts | undefined {
    const [x, ...affine] = node.inputs;
    const { groups, eps } = node.attrs as { readonly groups: number; readonly eps: number };
    const count = Math.max(this.needed(node), this.parts.get(x)!.length);
    if (groups % count !== 0) return undefined;
    const [scales, shifts] = affine.map((values) => split(this.whole(values), 0, count));
    return this.inParts(x, count)?.map((part, k) => groupNorm(part, scales[k], shifts[k], groups / count, eps));
  }

  /** An operation whose channels do not depend on each other. */
  private eachChannel(node: Node): Parts | undefined {
    const count = Math.max(this.needed(node), ...node.inputs.map((x) => this.parts.get(x)!.length));
    const inputs = node.inputs.flatMap((x) => [this.inParts(x, count) ?? []]);
    if (inputs.some((parts) => parts.length === 0)) return undefined;
    return Array.from({ length: count }, (_, k) =>
      make(
        node.op,
        inputs.map((parts) => parts[k]),
        node.attrs,
      ),
    );
  }
}

/**
 * Computes pictures that are larger than a buffer in parts of their channels, from the operations that make them to those that
 * read them: the finest level of Stable Diffusion's decoder has 256 MiB for 512x512 pixels. Pictures of a batch of any size, and
 * those that other operations read or make, stay whole.
 */
export function cutChannels(outputs: readonly Node[], { buffer }: Pick<Traits, "buffer">): Node[] {
  const order = inOrder(outputs);
  if (!order.some((node) => pictureBytes(node) > buffer)) return [...outputs];
  const cut = new Cut(buffer);
  for (const node of order) cut.append(node);
  return outputs.map((node) => cut.whole(node));
}
