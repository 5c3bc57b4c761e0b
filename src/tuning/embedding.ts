import type { Arithmetic, Model, Size, Value } from "../diffusion/index.ts";
import * as g from "../graph/index.ts";
import type { UNetConfig } from "../models/index.ts";
import type { Session } from "../runtime/index.ts";
import type { Examples } from "./examples.ts";
import { exampleFeeds, noiseLoss } from "./loss.ts";

/** Loss of the noise prediction over a batch of examples, and its gradient with respect to the text embedding. */
export class EmbeddingLoss {
  private readonly session: Session;
  private readonly config: UNetConfig;

  constructor(session: Session, config: UNetConfig) {
    this.session = session;
    this.config = config;
  }

  /**
   * context and gradient: [1, L, D], values of `math`. Throws NumericError, CancelledError, and GraphError if the examples have
   * another size or number.
   */
  async at(math: Arithmetic, context: Value, examples: Examples): Promise<{ loss: number; gradient: Value }> {
    const feeds = { context, ...exampleFeeds(this.config, examples) };
    const { values, tensors } = await math.run(this.session, { feeds, values: ["gradient"], tensors: ["loss"] });
    return { loss: tensors.loss.data[0], gradient: values.gradient };
  }
}

/** Opens loss and gradient for pictures of a size and `batch` examples at once. Weights are shared with the noise prediction. */
export async function openEmbeddingLoss(
  model: Model,
  size: Size,
  batch: number,
  signal?: AbortSignal,
): Promise<EmbeddingLoss> {
  const build = (): Record<string, g.Node> => {
    const context = g.input("context", [1, model.text.length, model.text.width]);
    const loss = noiseLoss(model, size, batch, context);
    const [gradient] = g.gradients(loss, [context]);
    return { loss, gradient };
  };
  const name = `U-Net's noise loss for ${batch} pictures of ${size.width}x${size.height}`;
  return new EmbeddingLoss(await model.programs.open("unet", name, build, signal), model.unet);
}
