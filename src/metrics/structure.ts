import type { Picture, Tensor, Work } from "../core/index.ts";
import { type DinoConfig, dinoB8, structureDistance } from "../models/index.ts";
import type { Engine } from "../runtime/index.ts";
import { type ByteSource, readSafetensors } from "../weights/index.ts";
import { bilinear } from "./bilinear.ts";
import { requireSameSize } from "./difference.ts";
import { advised, PairNetwork } from "./pairNetwork.ts";

const advice =
  "Structure distance needs DINO's ViT-B/8 as safetensors, with the keys of facebookresearch/dino: model.safetensors of " +
  "https://huggingface.co/timm/vit_base_patch8_224.dino (343 MB). No conversion is necessary.";

const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

/**
 * Ways to make pixels for DINO. "pie-bench": as PIE-Bench's program does. It leaves bytes in 0..255, although the network
 * expects 0..1, and resizes without antialiasing. "imagenet": as DINO was trained.
 */
export const structurePixels = ["pie-bench", "imagenet"] as const;
export type StructurePixels = (typeof structurePixels)[number];

export interface StructureOptions extends Work {
  /** Default "pie-bench", so that figures can be compared with published ones. */
  pixels?: StructurePixels;
  /** Default: ViT-B/8. */
  config?: DinoConfig;
}

/** Distance of two pictures' structures: of the self-similarities of DINO's keys (Tumanyan et al. 2022). */
export class Structure {
  /** Name of the network, for a metric's facts. */
  readonly name: string;
  readonly pixels: StructurePixels;
  private readonly size: number;
  private readonly network: PairNetwork;

  private constructor(name: string, pixels: StructurePixels, size: number, network: PairNetwork) {
    this.name = name;
    this.pixels = pixels;
    this.size = size;
    this.network = network;
  }

  /**
   * Loads DINO from the safetensors file that `open` opens. Throws CheckpointError with the address of the file if it is
   * missing or broken.
   */
  static async load(
    engine: Engine,
    open: () => Promise<ByteSource>,
    options: StructureOptions = {},
  ): Promise<Structure> {
    const { pixels = "pie-bench", config = dinoB8, ...work } = options;
    return advised(advice, async () => {
      const source = await open();
      const { tensors } = await readSafetensors(source);
      const parts = {
        name: "DINO",
        files: [{ name: source.name, weights: tensors }],
        graph: (input: Parameters<typeof structureDistance>[1]) => structureDistance(config, input),
        anySize: { height: config.size, width: config.size },
      };
      const name = config === dinoB8 ? "DINO ViT-B/8" : `DINO with ${config.layers} layers of width ${config.width}`;
      return new Structure(name, pixels, config.size, await PairNetwork.load(engine, parts, work));
    });
  }

  /** PIE-Bench's pictures are square. Others are squeezed to a square. Throws ImageError if sizes differ. */
  async distance(a: Picture, b: Picture, work: Pick<Work, "signal"> = {}): Promise<number> {
    requireSameSize(a, b);
    const [value] = await this.network.compare(this.pixelsOf(a), this.pixelsOf(b), work);
    return value;
  }

  /** Frees its memory. */
  release(): Promise<void> {
    return this.network.release();
  }

  private pixelsOf(picture: Picture): Tensor {
    const isTrue = this.pixels === "imagenet";
    const { shape, data } = bilinear(picture, this.size, isTrue);
    const plane = this.size ** 2;
    const scale = isTrue ? 255 : 1;
    const channel = (i: number): number => Math.floor(i / plane);
    return { shape, data: data.map((x, i) => (x / scale - mean[channel(i)]) / deviation[channel(i)]) };
  }
}
