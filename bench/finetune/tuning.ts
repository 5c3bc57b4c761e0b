import { noise, type Tensor, tensor } from "../../src/core/index.ts";
import { adamScalars } from "../../src/graph/index.ts";
import { timestepSinusoids, type UNetConfig } from "../../src/models/index.ts";
import type { Engine, Resident, Session } from "../../src/runtime/index.ts";
import { adamOptions, names, type StepShape } from "./step.ts";

/** Learning rate. */
export const RATE = 1e-4;

const scalar = (value: number): Tensor => tensor([], Float32Array.of(value));

/** Inputs of a step. `timestep` is for PyTorch only. */
export function inputsOf(config: UNetConfig, { batch, side, tokens, width }: StepShape): Record<string, Tensor> {
  const timesteps = Array.from({ length: batch }, (_, i) => 100 + 200 * i);
  const latent = [batch, config.inChannels, side, side];
  return {
    sample: noise(latent, 1),
    // The timestep for PyTorch, and its sinusoids for this engine.
    timestep: tensor([batch], Float32Array.from(timesteps)),
    time: timestepSinusoids(config, timesteps),
    context: noise([batch, tokens, width], 2),
    noise: noise(latent, 3),
  };
}

/** Fine-tuning in the engine. The state after a step is the input of the next one. */
export class Tuning {
  private state: Record<string, Resident> = {};
  private steps = 0;
  private readonly session: Session;
  private readonly weights: readonly string[];
  private readonly inputs: Record<string, Tensor>;

  constructor(session: Session, weights: readonly string[], inputs: Record<string, Tensor>) {
    this.session = session;
    this.weights = weights;
    this.inputs = inputs;
  }

  async start(engine: Engine, weights: ReadonlyMap<string, Tensor>): Promise<void> {
    for (const [name, value] of weights) {
      const zeros = tensor(value.shape);
      const [own, first, second] = await engine.put([value, zeros, zeros]);
      Object.assign(this.state, { [name]: own, [names.first(name)]: first, [names.second(name)]: second });
    }
  }

  /** Runs a step. Returns the loss before it. */
  async step(): Promise<number> {
    const scalars = Object.entries(adamScalars(++this.steps, RATE, adamOptions)).map(([name, x]) => [name, scalar(x)]);
    const keep = this.weights.flatMap((name) => [names.value(name), names.nextFirst(name), names.nextSecond(name)]);
    const feeds = { ...this.inputs, ...this.state, ...Object.fromEntries(scalars) };
    const { outputs, kept } = await this.session.runKeeping(feeds, keep, { outputs: ["loss"] });
    for (const old of Object.values(this.state)) old.release();
    this.state = Object.fromEntries(
      this.weights.flatMap((name) => [
        [name, kept[names.value(name)]],
        [names.first(name), kept[names.nextFirst(name)]],
        [names.second(name), kept[names.nextSecond(name)]],
      ]),
    );
    return outputs.loss.data[0];
  }
}
