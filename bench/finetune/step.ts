import * as g from "../../src/graph/index.ts";
import { timeShape, type UNetConfig, unet } from "../../src/models/index.ts";

/** Names of a step's inputs and outputs. A weight's input has the name of the weight. */
export const names = {
  value: (weight: string): string => `next ${weight}`,
  first: (weight: string): string => `first ${weight}`,
  second: (weight: string): string => `second ${weight}`,
  nextFirst: (weight: string): string => `next first ${weight}`,
  nextSecond: (weight: string): string => `next second ${weight}`,
};

/** PyTorch's defaults for AdamW. */
export const adamOptions = { weightDecay: 0.01 };

export interface StepShape {
  readonly batch: number;
  readonly side: number;
  readonly tokens: number;
  readonly width: number;
}

/**
 * Builds a step of fine-tuning a whole U-Net on noise prediction with AdamW: loss = mean((ε(z, t, c) − noise)²). Weights and
 * moments are inputs and outputs, so that they can stay in the engine.
 */
export function fineTuningStep(
  config: UNetConfig,
  { batch, side, tokens, width }: StepShape,
): {
  outputs: Record<string, g.Node>;
  weights: ReadonlyMap<string, readonly number[]>;
} {
  const latent = [batch, config.inChannels, side, side];
  const inputs = {
    sample: g.input("sample", latent),
    time: g.input("time", timeShape(config, batch)),
    context: g.input("context", [batch, tokens, width]),
  };
  const loss = g.meanSquare(g.sub(unet(config, inputs), g.input("noise", latent)));
  const parameters = g.parametersOf([loss]);
  const gradients = g.gradients(loss, [...parameters.values()]);
  const [rate, eps, decay] = ["rate", "eps", "decay"].map((name) => g.input(name, []));
  const outputs: Record<string, g.Node> = { loss };
  for (const [i, [name, value]] of [...parameters].entries()) {
    const moment = (of: string): g.Node => g.input(of, value.shape);
    const state = { value, first: moment(names.first(name)), second: moment(names.second(name)) };
    const next = g.adamStep(state, gradients[i], { rate, eps, decay }, adamOptions);
    outputs[names.value(name)] = next.value;
    outputs[names.nextFirst(name)] = next.first;
    outputs[names.nextSecond(name)] = next.second;
  }
  return { outputs, weights: new Map([...parameters].map(([name, { shape }]) => [name, shape as number[]])) };
}
