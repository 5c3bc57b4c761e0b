import { z } from "zod";
import { aScalar, aSize, aTensorOf, checkArguments, type Tensor, tensor, workFields } from "../core/index.ts";
import {
  type Arithmetic,
  aModel,
  aTimestep,
  type LatentShapes,
  type Model,
  openArithmeticHere,
  type Size,
  type StepCoefficients,
  type Value,
} from "../diffusion/index.ts";
import * as g from "../graph/index.ts";
import { timeShape, timestepSinusoids, type UNetConfig, unet } from "../models/index.ts";
import type { Session } from "../runtime/index.ts";

/** One sampling step and the latent that it should give. */
export interface Step {
  /** [1, C, h, w] */
  readonly latent: Tensor;
  readonly timestep: number;
  /** The U-Net's output for the prompt that is not tuned, [1, C, h, w]. */
  readonly fixed: Tensor;
  readonly coefficients: StepCoefficients;
  /** Weight of the tuned prediction: the guidance scale w if c is tuned, 1 − w if ∅ is tuned. */
  readonly guidance: number;
  /** The latent that the step should give, [1, C, h, w]. */
  readonly wanted: Tensor;
}

/** A step whose tensors are values of an arithmetic. */
export interface StepValues extends Pick<Step, "timestep" | "coefficients" | "guidance"> {
  readonly latent: Value;
  readonly fixed: Value;
  readonly wanted: Value;
}

export interface LossAndGradient {
  readonly loss: number;
  /** Gradient with respect to the tuned embedding, [1, L, D]. */
  readonly gradient: Tensor;
}

const { signal } = workFields;
const lossArguments = (context: z.ZodType<Tensor>, latent: z.ZodType<Tensor>) =>
  z.object({
    context,
    step: z.looseObject({
      latent,
      timestep: aTimestep,
      fixed: latent,
      coefficients: z.looseObject({ sample: aScalar, output: aScalar }),
      guidance: aScalar,
      wanted: latent,
    }),
    signal,
  });
const openArguments = z.object({ model: aModel, size: aSize, signal });

/**
 * Paper, eq. 2: L = mean((a·z + b·(f + w·(ε(z, t, c) − f)) − z*)²) and ∂L/∂c, where f is the U-Net's output for the
 * prompt that is not tuned. With 1 − w in place of w, the same program tunes ∅ (null-text inversion).
 */
export class ReconstructionLoss {
  private readonly session: Session;
  private readonly config: UNetConfig;
  private readonly expected: ReturnType<typeof lossArguments>;

  constructor(session: Session, config: UNetConfig, shapes: LatentShapes) {
    this.session = session;
    this.config = config;
    this.expected = lossArguments(aTensorOf([1, ...shapes.embedding]), aTensorOf([1, ...shapes.latent]));
  }

  /** Throws UsageError if a tensor does not have the shape of this picture size, NumericError, CancelledError. */
  async at(context: Tensor, step: Step, signal?: AbortSignal): Promise<LossAndGradient> {
    checkArguments("at", this.expected, { context, step, signal });
    return openArithmeticHere.during(async (math) => {
      const { loss, gradient } = await this.evaluate(math, context, step);
      return { loss, gradient: (await math.read([gradient]))[0] };
    }, signal);
  }

  /** Like `at`, for values of `math`, where the gradient stays. */
  async evaluate(
    math: Arithmetic,
    context: Value,
    { latent, timestep, fixed, coefficients, guidance, wanted }: StepValues,
  ): Promise<{ loss: number; gradient: Value }> {
    const scalar = (value: number) => tensor([], Float32Array.of(value));
    const feeds = {
      sample: latent,
      time: timestepSinusoids(this.config, [timestep]),
      context,
      fixed,
      wanted,
      a: scalar(coefficients.sample),
      b: scalar(coefficients.output),
      w: scalar(guidance),
    };
    const { values, tensors } = await math.run(this.session, { feeds, values: ["gradient"], tensors: ["loss"] });
    return { loss: tensors.loss.data[0], gradient: values.gradient };
  }
}

/** Opens loss and gradient for pictures of a size, at batch 1. The program shares its weights with the noise prediction. */
export async function openReconstructionLoss(
  model: Model,
  size: Size,
  signal?: AbortSignal,
): Promise<ReconstructionLoss> {
  checkArguments("openReconstructionLoss", openArguments, { model, size, signal });
  const shapes = model.latentShapes(size);
  const [latent, embedding] = [shapes.latent, shapes.embedding].map((shape) => [1, ...shape]);
  const build = (): Record<string, g.Node> => {
    const scalar = (name: string) => g.input(name, []);
    const sample = g.input("sample", latent);
    const context = g.input("context", embedding);
    const output = unet(model.unet, { sample, time: g.input("time", timeShape(model.unet, 1)), context });
    const fixed = g.input("fixed", latent);
    const guided = g.add(fixed, g.mul(scalar("w"), g.sub(output, fixed)));
    const next = g.add(g.mul(scalar("a"), sample), g.mul(scalar("b"), guided));
    const loss = g.meanSquare(g.sub(next, g.input("wanted", latent)));
    const [gradient] = g.gradients(loss, [context]);
    return { loss, gradient };
  };
  const name = `U-Net's loss and gradient for pictures of ${size.width}x${size.height}`;
  return new ReconstructionLoss(await model.programs.open("unet", name, build, signal), model.unet, shapes);
}
