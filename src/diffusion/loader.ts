import { sharedWork, type Warning, type Work } from "../core/index.ts";
import {
  type Engine,
  type LoadGraphOptions,
  loadGraph,
  loadHalf,
  type MappedWeights,
  type MeasuredSession,
} from "../runtime/index.ts";
import { loadTokenizer } from "../text/index.ts";
import type { Checkpoint } from "../weights/index.ts";
import { Model, type ModelParts, textLength } from "./model.ts";
import { isLarge, loadOptionsOf, type Network, weightsOf } from "./networks.ts";
import type { Platform } from "./platform.ts";
import type { ProgramLoader } from "./programs.ts";

export interface OpenModelOptions extends Pick<Work, "onProgress">, Pick<ModelParts, "arithmetic"> {
  /** Name of the model, by which it is loaded again. */
  readonly name: string;
  readonly platform: Platform;
  /** Starts the engine, which the model then owns. */
  readonly startEngine: () => Promise<Engine>;
}

/**
 * Makes a model of a checkpoint. Weights are mapped when a program first needs them. Throws CheckpointError if the parts of the
 * checkpoint do not belong together; then the engine is closed.
 */
export async function openModel(
  checkpoint: Checkpoint,
  { name, platform, startEngine, arithmetic, onProgress }: OpenModelOptions,
): Promise<Model> {
  const tokenizer = await loadTokenizer(checkpoint.tokenizer, {
    shipped: platform.merges,
    maxLength: textLength(checkpoint),
  });
  const engine = await startEngine();
  try {
    const loader = programLoader(engine, checkpoint, { name, onProgress });
    return new Model({ name, checkpoint, tokenizer, engine, platform, loader, arithmetic });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Warns that a program computes in float32 because its results in float16 were not finite. */
const outOfRange = (program: string): Warning => ({
  code: "float16-range",
  message: `${program}: numbers left the range of float16, so this is computed in float32 from now on, which takes more memory`,
  details: { program },
});

/** Loads programs. Maps the weights of each network once, for the first program that needs them. */
function programLoader(
  engine: Engine,
  checkpoint: Checkpoint,
  { name: modelName, onProgress }: { name: string } & Pick<Work, "onProgress">,
): ProgramLoader {
  const weights = weightsOf(checkpoint);
  const mapped = new Map<Network, Promise<MappedWeights>>();
  const warnings: Warning[] = [];
  const map = (network: Network, signal: AbortSignal | undefined): Promise<MappedWeights> =>
    sharedWork(() => {
      const known = mapped.get(network);
      if (known) return known;
      const made = engine.mapWeights(weights[network], { onProgress, signal });
      mapped.set(network, made);
      made.catch(() => mapped.delete(network));
      return made;
    }, signal);
  return {
    isLarge: (network) => isLarge(checkpoint, network),
    warnings,
    load: async (network, name, outputs, { weights: other, approximate = false, beside, signal }) => {
      const all = { name: `${modelName}, ${name}`, beside, signal };
      const load = (options: Omit<LoadGraphOptions, keyof typeof all>): Promise<MeasuredSession> => {
        const isHalf = approximate && engine.precision === "float16";
        if (!isHalf) return loadGraph(engine, outputs, { ...all, ...options });
        return loadHalf(engine, outputs, { ...all, ...options }, () => warnings.push(outOfRange(name)));
      };
      // Without constant weights, optimising takes most of the loading time and makes no step faster.
      if (other === "fed") return load({ load: { level: "disabled" } });
      const options = { load: { ...loadOptionsOf(checkpoint, network), onProgress } };
      // The text encoder and the VAE are too small to gain, and tuned weights would be rounded for each photo.
      const int8 = approximate && engine.linear === "int8" && network === "unet";
      if (!other) return load({ ...options, int8, weights: await map(network, signal) });
      const own = await engine.mapWeights(other, { signal });
      // The session holds them.
      return load({ ...options, weights: own }).finally(() => own.release());
    },
    close: async () => {
      for (const weights of mapped.values()) await weights.then((w) => w.release());
    },
  };
}
