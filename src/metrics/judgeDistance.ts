import { z } from "zod";
import { between, CheckpointError, type Picture, type Work } from "../core/index.ts";
import { clipLayerDistances, readConfig } from "../models/index.ts";
import type { Engine } from "../runtime/index.ts";
import { type ByteSource, type Folder, openModelFolder, readJsonObject } from "../weights/index.ts";
import { type ClipOptions, clipFolder, readClipFolder } from "./clipFolder.ts";
import { requireSameSize } from "./difference.ts";
import { PairNetwork } from "./pairNetwork.ts";
import { type Preprocessing, pixelsOf } from "./preprocessing.ts";

const WEIGHTS = "perceptual.json";

const schema = z.strictObject({ layers: z.array(between(0, 1e6)).min(1) });

export interface JudgeDistanceOptions extends ClipOptions {
  /** Weight of each layer. Default: those in the judge's perceptual.json. "equal": as before a calibration. */
  weights?: "equal";
}

/**
 * Our own perceptual distance: a weighted sum over the layers of a judge's vision tower, of squared differences of normalised
 * features. LPIPS does the same with a classifier's layers and with weights from people's answers. Here the weights come from
 * pairs of photos and true results: each layer counts the same, and 1 is the mean distance of a photo to its true result.
 */
export class JudgeDistance {
  readonly weights: readonly number[];
  private readonly preprocessing: Preprocessing;
  private readonly network: PairNetwork;

  private constructor(weights: readonly number[], preprocessing: Preprocessing, network: PairNetwork) {
    this.weights = weights;
    this.preprocessing = preprocessing;
    this.network = network;
  }

  /**
   * Loads the folder of a CLIPModel with perceptual.json. Throws CheckpointError if the folder is none, or if the weights are
   * missing or are those of another model.
   */
  static async load(
    engine: Engine,
    folder: Folder | ByteSource,
    options: JudgeDistanceOptions = {},
  ): Promise<JudgeDistance> {
    const { weights, merges, ...work } = options;
    const model = await openModelFolder(clipFolder(folder));
    const { name, config, preprocessing } = await readClipFolder(model, { merges });
    const layers = config.vision.layers - 1;
    const calibrated =
      weights === "equal" ? Array<number>(layers).fill(1 / layers) : await readWeights(model.folder, layers);
    const { size } = config.vision;
    const parts = {
      name: `${name}, layers of the image tower`,
      files: [{ name, weights: model.weights }],
      graph: (pixels: Parameters<typeof clipLayerDistances>[1]) => clipLayerDistances(config, pixels),
      anySize: { height: size, width: size },
    };
    return new JudgeDistance(calibrated, preprocessing, await PairNetwork.load(engine, parts, work));
  }

  /** The distance in each layer, before weights. */
  async layerDistances(a: Picture, b: Picture, work: Pick<Work, "signal"> = {}): Promise<Float32Array> {
    requireSameSize(a, b);
    const [x, y] = [a, b].map((picture) => pixelsOf([picture], this.preprocessing));
    return this.network.compare(x, y, work);
  }

  /** Throws ImageError if sizes differ. */
  async distance(a: Picture, b: Picture, work: Pick<Work, "signal"> = {}): Promise<number> {
    const distances = await this.layerDistances(a, b, work);
    return distances.reduce((sum, distance, i) => sum + this.weights[i] * distance, 0);
  }

  /** Frees its memory. */
  release(): Promise<void> {
    return this.network.release();
  }
}

/** Weights that make each layer count the same, and the mean distance 1. distances: those of each pair in each layer. */
export function calibrate(distances: readonly ArrayLike<number>[]): number[] {
  const layers = distances[0].length;
  return Array.from({ length: layers }, (_, i) => {
    const mean = distances.reduce((sum, pair) => sum + pair[i], 0) / distances.length;
    return 1 / (layers * mean);
  });
}

async function readWeights(folder: Folder, layers: number): Promise<readonly number[]> {
  if (!(await folder.list()).some(({ name }) => name === WEIGHTS)) {
    throw new CheckpointError(`there is no ${WEIGHTS}`, {
      where: folder.name,
      advice:
        "checkpoints/menagerie-judge has one. `npm run bench -- perceptual --judge FOLDER --write` makes it for another judge.",
    });
  }
  const source = await folder.open(WEIGHTS);
  const advice = "It must hold {layers: [a weight for each layer]}.";
  const { layers: weights } = readConfig(schema, await readJsonObject(source), source.name, advice);
  if (weights.length !== layers) {
    throw new CheckpointError("weights of another model", {
      where: source.name,
      found: `${weights.length} layers`,
      expected: `${layers}: all layers of the image tower but the last`,
    });
  }
  return weights;
}
