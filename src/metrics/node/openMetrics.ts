import { z } from "zod";
import { checkArguments, oneOf, someText, type Work } from "../../core/index.ts";
import { type LpipsNet, lpipsNets } from "../../models/index.ts";
import type { Engine } from "../../runtime/index.ts";
import type { Clip } from "../clip.ts";
import { clipMetrics } from "../clipMetrics.ts";
import { judgeMetrics } from "../judgeMetrics.ts";
import { type Lpips, lpipsMetric } from "../lpips.ts";
import type { Metric } from "../metric.ts";
import { pieMetrics } from "../pieMetrics.ts";
import { pixelMetrics } from "../pixels.ts";
import { type StructurePixels, structurePixels } from "../structure.ts";
import { type LpipsFiles, loadClip, loadJudge, loadJudgeDistance, loadLpips, loadStructure } from "./load.ts";

/** Networks to open, by their names or files. The metrics of those that are absent are left out. */
export interface MetricNetworks {
  /** Folder of a judge. */
  readonly judge?: string;
  /** Name or folder of the CLIP model for CLIPScore. Papers use openai/clip-vit-base-patch32, which "clip" means. */
  readonly clip?: string;
  readonly lpips?: Readonly<Partial<Record<LpipsNet, LpipsFiles>>>;
  /** Name or folder of PIE-Bench's CLIP model, openai/clip-vit-large-patch14. Its LPIPS is squeeze. */
  readonly pieClip?: string;
  /** DINO's ViT-B/8 in safetensors. */
  readonly dino?: string;
  /** Default "pie-bench". */
  readonly structurePixels?: StructurePixels;
}

const lpipsFiles = z.strictObject({ trunk: someText, linear: someText });
const networkArguments = z.object({
  networks: z.strictObject({
    judge: someText.optional(),
    clip: someText.optional(),
    lpips: z.partialRecord(oneOf(Object.keys(lpipsNets) as LpipsNet[]), lpipsFiles).optional(),
    pieClip: someText.optional(),
    dino: someText.optional(),
    structurePixels: oneOf(structurePixels).optional(),
  }),
});

/** Metrics on one engine, with the networks that they share. */
export interface OpenMetrics {
  readonly metrics: readonly Metric[];
  /** Frees the memory of all networks. */
  release(): Promise<void>;
}

/** A network that can be released. */
interface Network {
  release(): Promise<void>;
}

/**
 * Opens each network once, and returns all metrics that they and the pixels alone allow. Throws UsageError that lists every
 * argument that is not allowed, and the errors of loading the networks; then nothing stays loaded.
 */
export async function openMetrics(engine: Engine, networks: MetricNetworks, work: Work = {}): Promise<OpenMetrics> {
  checkArguments("openMetrics", networkArguments, { networks });
  const { judge, clip, lpips = {}, pieClip, dino, structurePixels: pixels } = networks;
  const loaded: Network[] = [];
  const release = async (): Promise<void> => {
    await Promise.all(loaded.map((network) => network.release()));
  };
  const opened = async <N extends Network>(loading: Promise<N>): Promise<N> => {
    const network = await loading;
    loaded.push(network);
    return network;
  };
  const clips = new Map<string, Promise<Clip>>();
  const clipOf = (name: string): Promise<Clip> => {
    const own = clips.get(name) ?? opened(loadClip(engine, name, work));
    clips.set(name, own);
    return own;
  };
  try {
    const metrics: Metric[] = [...pixelMetrics];
    if (judge) {
      const classifier = await opened(loadJudge(engine, judge, work));
      metrics.push(...judgeMetrics(classifier, await opened(loadJudgeDistance(engine, judge, work))));
    }
    if (clip) metrics.push(...clipMetrics(await clipOf(clip)));
    const perceptual = new Map<string, Lpips>();
    for (const [net, files] of Object.entries(lpips)) {
      const own = await opened(loadLpips(engine, net as LpipsNet, files, work));
      perceptual.set(net, own);
      metrics.push(lpipsMetric(own));
    }
    const pie = {
      clip: pieClip === undefined ? undefined : await clipOf(pieClip),
      lpips: perceptual.get("squeeze"),
      structure: dino === undefined ? undefined : await opened(loadStructure(engine, dino, { pixels, ...work })),
    };
    return { metrics: [...metrics, ...pieMetrics(pie)], release };
  } catch (error) {
    await release();
    throw error;
  }
}
