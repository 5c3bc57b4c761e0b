import { z } from "zod";
import {
  aSize,
  aTensorOf,
  between,
  checkArguments,
  type IntTensor,
  oneOf,
  stack,
  type Tensor,
  whole,
  workFields,
} from "../core/index.ts";
import * as g from "../graph/index.ts";
import {
  type AttentionSite,
  chooseSites,
  type Part,
  parts,
  plainAttention,
  routed,
  routeInput,
  timeShape,
  timestepSinusoids,
  type UNetConfig,
  unet,
} from "../models/index.ts";
import type { MeasuredSession } from "../runtime/index.ts";
import { aModel, type Model, type Size } from "./model.ts";

export const attentionKinds = ["self", "cross"] as const;
export type AttentionKind = (typeof attentionKinds)[number];

/** What of each kind of attention may be taken from another row: which sites, and which of query, key and value. */
export interface Routing {
  readonly sites: Readonly<Record<AttentionKind, readonly string[]>>;
  readonly parts: readonly Part[];
}

/** One row of a forward pass. */
export interface Row {
  /** [1, C, h, w] */
  readonly latent: Tensor;
  /** [1, L, D] */
  readonly context: Tensor;
}

/** Shapes of the parts of a row. */
type RowShapes = Readonly<Record<keyof Row, readonly number[]>>;

/** For each row of a batch, the row whose routed parts it uses. */
export type Sources = Readonly<Record<AttentionKind, readonly number[]>>;

const { signal } = workFields;
/** What a U-Net can be asked for; none was trained with as many timesteps. */
export const aTimestep = between(0, 1_000_000);

const predictArguments = ({ latent, context }: RowShapes) =>
  z.object({
    rows: z
      .array(z.looseObject({ latent: aTensorOf(latent), context: aTensorOf(context) }))
      .min(1, "expected a row or more"),
    timestep: aTimestep,
    options: z.looseObject({ signal }),
  });
/** Of `count` rows. */
const sourcesArgument = (count: number) => {
  const rowNumbers = z.array(whole(0, count - 1)).length(count, `expected ${count} row numbers`);
  return z.object({ sources: z.looseObject({ self: rowNumbers, cross: rowNumbers }).optional() });
};
const paths = z.array(z.string());
const openArguments = z.object({
  model: aModel,
  size: aSize,
  routing: z.looseObject({ sites: z.looseObject({ self: paths, cross: paths }), parts: z.array(oneOf(parts)) }),
  signal,
});

/**
 * The U-Net over a batch of rows, in which rows may use each other's queries, keys or values. What it gives is the
 * noise, or v, as the model was trained to.
 */
export class Predictor {
  private readonly session: MeasuredSession;
  private readonly config: UNetConfig;
  private readonly routing: Routing;
  private readonly expected: ReturnType<typeof predictArguments>;

  constructor(session: MeasuredSession, config: UNetConfig, routing: Routing, shapes: RowShapes) {
    this.session = session;
    this.config = config;
    this.routing = routing;
    this.expected = predictArguments(shapes);
  }

  /** Throws MemoryError where so many rows at once would need more memory than is free. */
  checkBatch(rows: number): void {
    this.session.checkBatch(rows);
  }

  /**
   * The model's output for each row, [B, C, h, w]. sources: absent, every row uses its own. Throws UsageError if a row
   * is not one of this picture size or a source is no row, NumericError if the output is not finite, CancelledError.
   */
  async predict(
    rows: readonly Row[],
    timestep: number,
    options: { sources?: Sources; signal?: AbortSignal } = {},
  ): Promise<Tensor> {
    checkArguments("predict", this.expected, { rows, timestep, options });
    const { sources, signal } = options;
    checkArguments("predict", sourcesArgument(rows.length), { sources });
    const own = rows.map((_, r) => r);
    const feeds: Record<string, Tensor | IntTensor> = {
      sample: stack(rows.map(({ latent }) => latent)),
      time: timestepSinusoids(this.config, Array<number>(rows.length).fill(timestep)),
      context: stack(rows.map(({ context }) => context)),
    };
    for (const kind of attentionKinds) {
      if (this.routing.sites[kind].length === 0) continue;
      const route = { shape: [rows.length], data: Int32Array.from(sources?.[kind] ?? own) };
      for (const part of this.routing.parts) feeds[routeInput(kind, part)] = route;
    }
    return (await this.session.run(feeds, { finite: true, signal })).output;
  }
}

/** No row uses another's. */
export const unrouted: Routing = { sites: { self: [], cross: [] }, parts: [] };

/**
 * Opens the model's U-Net for pictures of a size. The program is kept by the model and shared by all who ask alike. Throws
 * UsageError if the model has no such size or attention site, MemoryError, CancelledError.
 */
export async function openPredictor(
  model: Model,
  size: Size,
  routing: Routing = unrouted,
  signal?: AbortSignal,
): Promise<Predictor> {
  checkArguments("openPredictor", openArguments, { model, size, routing, signal });
  const latent = model.latentShape(size);
  const [, channels, h, w] = latent;
  for (const kind of attentionKinds) {
    const paths = routing.sites[kind];
    if (paths.length > 0) chooseSites(model.attentionSites(size), { kind, paths }, `routing.sites.${kind}`);
  }
  const build = (): Record<string, g.Node> => {
    const groupOf = ({ kind, path }: AttentionSite) => (routing.sites[kind].includes(path) ? kind : undefined);
    const attend = routing.parts.length > 0 ? routed(groupOf, routing.parts) : plainAttention;
    const inputs = {
      sample: g.input("sample", ["B", channels, h, w]),
      time: g.input("time", timeShape(model.unet, "B")),
      context: g.input("context", ["B", model.text.length, model.text.width]),
    };
    return { output: unet(model.unet, inputs, attend) };
  };
  const name = `U-Net ${h}x${w} ${JSON.stringify(routing)}`;
  const context = [1, model.text.length, model.text.width];
  return new Predictor(await model.programs.open("unet", name, build, signal), model.unet, routing, {
    latent,
    context,
  });
}
