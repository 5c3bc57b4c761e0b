import { ImageError, type Picture, UsageError, type Work } from "../core/index.ts";
import { pictureToTensor } from "../image/index.ts";
import { type LpipsConfig, type LpipsNet, lpips, lpipsNets } from "../models/index.ts";
import type { Engine } from "../runtime/index.ts";
import { type ByteSource, isLegacyTorch, readLegacyTorch, readSafetensors, type WeightSet } from "../weights/index.ts";
import { requireSameSize } from "./difference.ts";
import { defineMetric, type Metric } from "./metric.ts";
import { advised, PairNetwork } from "./pairNetwork.ts";

/** The networks as torchvision names them. */
const torchvisionNames: Record<LpipsNet, string> = { alex: "alexnet", vgg16: "vgg16", squeeze: "squeezenet1_1" };

const trunkAdvice = (net: LpipsNet): string => {
  const name = torchvisionNames[net];
  return (
    `The trunk of LPIPS ${net} is torchvision's ${name}, trained on ImageNet, as safetensors. Convert it once in Python: ` +
    `import torchvision, safetensors.torch; safetensors.torch.save_file(` +
    `torchvision.models.${name}(weights="IMAGENET1K_V1").state_dict(), "${name}.safetensors")`
  );
};

const linearAdvice = (net: LpipsNet): string => {
  const file = net === "vgg16" ? "vgg" : net;
  return (
    `The linear weights of LPIPS ${net} are the file lpips/weights/v0.1/${file}.pth of the Python package lpips ` +
    "(https://github.com/richzhang/PerceptualSimilarity). No conversion is necessary."
  );
};

/** Opens the files with the weights of LPIPS. */
export interface LpipsSources {
  /** Opens torchvision's state dict in safetensors. */
  readonly trunk: () => Promise<ByteSource>;
  /** Opens the `lpips` package's own file, or the same weights in safetensors. */
  readonly linear: () => Promise<ByteSource>;
}

/** LPIPS v0.1: how far apart two pictures look, by the features of a classifier (Zhang et al. 2018). 0 for equal pictures. */
export class Lpips {
  readonly net: LpipsNet;
  private readonly network: PairNetwork;

  private constructor(net: LpipsNet, network: PairNetwork) {
    this.net = net;
    this.network = network;
  }

  /**
   * Loads LPIPS with one of its three networks. Throws UsageError if there is no such network, and CheckpointError, which says
   * where people get the file, if a file is missing, broken, or of another network.
   */
  static async load(engine: Engine, net: LpipsNet, files: LpipsSources, work: Work = {}): Promise<Lpips> {
    if (!Object.hasOwn(lpipsNets, net)) {
      throw new UsageError("no such network of LPIPS", { found: net, expected: Object.keys(lpipsNets).join(", ") });
    }
    const config: LpipsConfig = lpipsNets[net];
    const side = config.smallest;
    const trunk = await advised(trunkAdvice(net), async () => {
      const source = await files.trunk();
      return { name: source.name, weights: (await readSafetensors(source)).tensors, holds: isTrunk };
    });
    const linear = await advised(linearAdvice(net), async () => {
      const source = await files.linear();
      return { name: source.name, weights: await readLinear(source), holds: (name: string) => !isTrunk(name) };
    });
    const advice = `${trunkAdvice(net)}\n${linearAdvice(net)}`;
    const network = await advised(advice, () =>
      PairNetwork.load(
        engine,
        {
          name: `LPIPS ${net}`,
          files: [trunk, linear],
          graph: (pixels) => lpips(config, pixels),
          anySize: { height: side, width: side },
        },
        work,
      ),
    );
    return new Lpips(net, network);
  }

  /** Throws ImageError if sizes differ, or if a side is too short for the network. */
  async distance(a: Picture, b: Picture, work: Pick<Work, "signal"> = {}): Promise<number> {
    requireSameSize(a, b);
    const { smallest } = lpipsNets[this.net];
    if (Math.min(a.width, a.height) < smallest) {
      throw new ImageError(`too small for LPIPS ${this.net}`, {
        found: `${a.width}x${a.height}`,
        expected: `at least ${smallest} pixels a side`,
      });
    }
    const [value] = await this.network.compare(pictureToTensor(a), pictureToTensor(b), work);
    return value;
  }

  /** Frees its memory. */
  release(): Promise<void> {
    return this.network.release();
  }
}

const isTrunk = (parameter: string): boolean => parameter.startsWith("features.");

async function readLinear(source: ByteSource): Promise<WeightSet> {
  return (await isLegacyTorch(source)) ? readLegacyTorch(source) : (await readSafetensors(source)).tensors;
}

/** LPIPS to the photo, with the network and version in its facts: figures of different networks must not be mixed. */
export const lpipsMetric = (lpips: Lpips): Metric =>
  defineMetric({
    name: `lpips-${lpips.net}`,
    about: `LPIPS v0.1 with ${torchvisionNames[lpips.net]}, to the photo`,
    unit: "LPIPS",
    better: "lower",
    needs: ["photo"],
    measure: ({ edit, photo }, work) => lpips.distance(edit, photo, work),
  });
