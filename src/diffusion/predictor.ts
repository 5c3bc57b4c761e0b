import { z } from "zod";
import {
  aSize,
  aTensor,
  checkArguments,
  type IntTensor,
  oneOf,
  stack,
  type Tensor,
  workFields,
} from "../core/index.ts";
import * as g from "../graph/index.ts";
import {
  type AttentionSite,
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

/** For each row of a batch, the row whose routed parts it uses. */
export type Sources = Readonly<Record<AttentionKind, readonly number[]>>;

const { signal } = workFields;
const rowNumbers = z.array(z.int().nonnegative());
const predictArguments = z.object({
  rows: z.array(z.looseObject({ latent: aTensor, context: aTensor })).min(1, "expected a row or more"),
  timestep: z.number(),
  options: z.looseObject({ sources: z.looseObject({ self: rowNumbers, cross: rowNumbers }).optional(), signal }),
});
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

  constructor(session: MeasuredSession, config: UNetConfig, routing: Routing) {
    this.session = session;
    this.config = config;
    this.routing = routing;
  }

  /** Throws MemoryError where so many rows at once would need more memory than is free. */
  checkBatch(rows: number): void {
    this.session.checkBatch(rows);
  }

  /**
   * The model's output for each row, [B, C, h, w]. sources: absent, every row uses its own. Throws NumericError where
   * the output is not finite, CancelledError.
   */
  async predict(
    rows: readonly Row[],
    timestep: number,
    options: { sources?: Sources; signal?: AbortSignal } = {},
  ): Promise<Tensor> {
    checkArguments("predict", predictArguments, { rows, timestep, options });
    const { sources, signal } = options;
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

/**
 * The rows, a single one twice: a batch of one runs through other kernels than all others, whose rows do not depend on
 * the batch's size.
 */
export const atLeastTwo = <T>(rows: readonly T[]): readonly T[] => (rows.length === 1 ? [rows[0], rows[0]] : rows);

/** No row uses another's. */
export const unrouted: Routing = { sites: { self: [], cross: [] }, parts: [] };

/** Opens the model's U-Net for pictures of a size. The program is kept by the model and shared by all who ask alike. */
export async function openPredictor(
  model: Model,
  size: Size,
  routing: Routing = unrouted,
  signal?: AbortSignal,
): Promise<Predictor> {
  checkArguments("openPredictor", openArguments, { model, size, routing, signal });
  const [, channels, h, w] = model.latentShape(size);
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
  return new Predictor(await model.programs.open("unet", name, build, signal), model.unet, routing);
}
