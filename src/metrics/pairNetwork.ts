import { CheckpointError, type Size, stack, type Tensor, type Work } from "../core/index.ts";
import { input, type Node, nameOf, parametersOf } from "../graph/index.ts";
import { type Engine, loadGraph, type MappedWeights, type Session } from "../runtime/index.ts";
import { checkWeights, type WeightSet } from "../weights/index.ts";

/** Weights of a file. */
export interface WeightFile {
  /** The file in errors. */
  readonly name: string;
  readonly weights: WeightSet;
  /** True for a parameter of the network that this file must hold. Default: all. */
  readonly holds?: (parameter: string) => boolean;
}

/** The parts of a network that compares two pictures of equal size. */
export interface PairNetworkParts {
  /** Name in errors and profiles. */
  readonly name: string;
  readonly files: readonly WeightFile[];
  /** Compares the input "pixels", [2, 3, H, W], of a size. */
  readonly graph: (pixels: Node) => Node;
  /** A size that the network takes. */
  readonly anySize: Size;
}

const pixelsOf = ({ height, width }: Size): Node => input("pixels", [2, 3, height, width]);

/**
 * Throws the errors of `work`. A CheckpointError also says where people get the weights.
 *
 * advice: full sentences.
 */
export async function advised<T>(advice: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(error.message, { advice, cause: error });
  }
}

/**
 * A loaded network that compares two pictures. Runs comparisons one after another. A program is made for each size; the last
 * one stays loaded. The caller owns the engine.
 */
export class PairNetwork {
  private readonly engine: Engine;
  private readonly parts: PairNetworkParts;
  private readonly weights: MappedWeights;
  private open: { readonly size: Size; readonly session: Session } | undefined;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(engine: Engine, parts: PairNetworkParts, weights: MappedWeights) {
    this.engine = engine;
    this.parts = parts;
    this.weights = weights;
  }

  /** Checks and maps the weights. Throws CheckpointError that lists those that are missing or have another shape. */
  static async load(engine: Engine, parts: PairNetworkParts, work: Work = {}): Promise<PairNetwork> {
    const parameters = [...parametersOf([parts.graph(pixelsOf(parts.anySize))]).values()];
    for (const { name: where, weights, holds = () => true } of parts.files) {
      const expected = parameters.filter((parameter) => holds(nameOf(parameter)));
      checkWeights(new Map(expected.map((one) => [nameOf(one), one.shape as readonly number[]])), weights, { where });
    }
    // The files may hold more, such as a classifier.
    const used = parameters.map(nameOf).map((name) => {
      const file = parts.files.find(({ holds = () => true }) => holds(name))!;
      return [name, file.weights.get(name)!] as const;
    });
    return new PairNetwork(engine, parts, await engine.mapWeights(new Map(used), work));
  }

  /** Compares two pictures, each [1, 3, H, W] as the network takes it. Throws NumericError if the result is not finite. */
  async compare(a: Tensor, b: Tensor, { signal }: Pick<Work, "signal"> = {}): Promise<Float32Array> {
    const turn = this.last.then(() => this.run(stack([a, b]), signal));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** Frees its memory. */
  async release(): Promise<void> {
    await this.last;
    await this.open?.session.release();
    await this.weights.release();
  }

  private async run(pixels: Tensor, signal?: AbortSignal): Promise<Float32Array> {
    const [, , height, width] = pixels.shape;
    const session = await this.sessionFor({ height, width }, signal);
    const { value } = await session.run({ pixels }, { finite: true, signal });
    return value.data;
  }

  private async sessionFor(size: Size, signal?: AbortSignal): Promise<Session> {
    if (this.open?.size.height === size.height && this.open.size.width === size.width) return this.open.session;
    await this.open?.session.release();
    this.open = undefined;
    const { name, graph } = this.parts;
    const session = await loadGraph(
      this.engine,
      { value: graph(pixelsOf(size)) },
      { name: `${name}, ${size.width}x${size.height}`, weights: this.weights, signal },
    );
    this.open = { size, session };
    return session;
  }
}
