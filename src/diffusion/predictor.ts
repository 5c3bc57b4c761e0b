import { z } from "zod";
import {
  aMask,
  aSize,
  aTensorOf,
  between,
  checkArguments,
  GraphError,
  type IntTensor,
  type Mask,
  oneOf,
  type Size,
  shapeText,
  type Tensor,
  tensor,
  UsageError,
  whole,
  workFields,
} from "../core/index.ts";
import * as g from "../graph/index.ts";
import { resizeMask } from "../image/index.ts";
import {
  type AttentionSite,
  chooseSites,
  collecting,
  controlled,
  maskInputs,
  mixInputs,
  positionShape,
  positionWeight,
  routeInput,
  type SiteGroup,
  takenKinds,
  takenProjections,
  timeShape,
  timestepSinusoids,
  type UNetConfig,
  unet,
} from "../models/index.ts";
import type { MeasuredSession } from "../runtime/index.ts";
import type { WeightSet } from "../weights/index.ts";
import { type Arithmetic, type OpenArithmetic, openArithmeticHere, type Value } from "./arithmetic.ts";
import { aModel, type Model } from "./model.ts";

/** Attention sites of a U-Net's program at which rows may take from each other, and sites whose maps may be observed. */
export interface Routing {
  readonly groups: readonly SiteGroup[];
  /** Paths of the sites whose attention maps may be observed. Default: none. */
  readonly observe?: readonly string[];
  /** Returns what the inner parts of the U-Net give, and takes it from rows that have it. Default: false. */
  readonly reusesInner?: boolean;
}

/** One row of a forward pass. */
export interface Row {
  /** [1, C, h, w] */
  readonly latent: Tensor;
  /** [1, L, D] */
  readonly context: Tensor;
  /**
   * Result of the U-Net's inner parts for this row at another step. If every row of a batch has it, these parts are not
   * computed. Only of a predictor that reuses them.
   */
  readonly inner?: Tensor;
}

/** One row of a forward pass, in this process or on the device. */
export type ValueRow = { readonly [K in keyof Row]: K extends "inner" ? Value | undefined : Value };

/** Shapes of the parts of a row. */
type RowShapes = Readonly<Record<"latent" | "context", readonly number[]>>;

/**
 * Mixes a row's attention maps M with the maps S of the row that it takes from: taken ⊙ (S·mapper) + kept ⊙ M. `taken` and
 * `kept` have one value for each token of the text in cross-attention, and one in all in self-attention.
 */
export interface MapMix {
  readonly taken: number | Tensor;
  readonly kept: number | Tensor;
  /** [L, L]; cross-attention only. Default: each token is itself. */
  readonly mapper?: Tensor;
}

/**
 * Masks the keys of a row's self-attention: the queries at marked places see the keys at marked places only, and all other
 * queries the other keys only. Both masks cover the picture and are resized to the tokens of each site.
 */
export interface KeyMask {
  /** Marks places of the row itself. */
  readonly queries: Mask;
  /** Marks places of the row whose keys it takes. */
  readonly keys: Mask;
}

/** The rows that each row of a batch takes from at the sites of one group. */
export interface Taken {
  /** For each row, the row that it takes from. */
  readonly from: readonly number[];
  /** For each row of a group that takes maps, how they are mixed. Default: the other row's maps replace its own. */
  readonly mix?: readonly (MapMix | undefined)[];
  /** For each row of a masked group, the mask of its keys. Default: it sees all of them. */
  readonly masks?: readonly (KeyMask | undefined)[];
}

/** For each group by its name, the rows that rows take from. In a group that is left out, every row uses its own. */
export type Sources = Readonly<Record<string, Taken>>;

const { signal } = workFields;
/** A timestep that a U-Net may be called with. No model was trained with as many. */
export const aTimestep = between(0, 1_000_000);

const predictArguments = ({ latent, context }: RowShapes) =>
  z.object({
    rows: z
      .array(z.looseObject({ latent: aTensorOf(latent), context: aTensorOf(context) }))
      .min(1, "expected at least one row"),
    timestep: aTimestep,
    options: z.looseObject({ signal }),
  });
const aKeyMask = z.looseObject({ queries: aMask, keys: aMask });
/** Returns the argument `sources` for a batch of `count` rows. */
const sourcesArgument = (count: number) => {
  const from = z.array(whole(0, count - 1)).length(count, `expected ${count} row numbers`);
  const mix = z.array(z.looseObject({}).optional()).length(count, `expected ${count} mixes`);
  const masks = z.array(aKeyMask.optional()).length(count, `expected ${count} masks`);
  const taken = z.looseObject({ from, mix: mix.optional(), masks: masks.optional() });
  return z.object({ sources: z.record(z.string(), taken).optional() });
};
const paths = z.array(z.string());
const aGroup = z.looseObject({
  name: z.string(),
  sites: paths,
  takes: oneOf(takenKinds),
  masked: z.boolean().optional(),
});
const openArguments = z.object({
  model: aModel,
  size: aSize,
  routing: z.looseObject({ groups: z.array(aGroup), observe: paths.optional() }),
  signal,
});

/** Returns the name of the output that holds a site's attention maps. */
const mapsOutput = (path: string): string => `maps.${path}`;

/** A group of attention sites of an open program. */
interface OpenGroup extends SiteGroup {
  /** Number of tokens over which its maps are mixed: 1 for self-attention. */
  readonly tokens: number;
  /** Sizes of its sites in tokens, if it is masked. */
  readonly sizes?: readonly Size[];
}

/** Outputs of a forward pass. */
export interface NoisePrediction {
  /** The model's output for each row, [B, C, h, w]. */
  readonly output: Tensor;
  /** Attention maps [B, heads, L, M] of the observed sites, by their paths, after rows have taken from each other. */
  readonly maps: ReadonlyMap<string, Tensor>;
  /** Result of the inner parts, [B, C, H, W], if this predictor reuses them and has just computed them. */
  readonly inner?: Tensor;
}

/** Outputs of a forward pass, in this process or on the device; attention maps are always in this process. */
export interface PredictedValues {
  readonly output: Value;
  readonly maps: NoisePrediction["maps"];
  readonly inner?: Value;
}

interface PredictOptions {
  /** The rows that rows take from. */
  readonly sources?: Sources;
  /** Paths of the sites whose attention maps are returned. */
  readonly observe?: readonly string[];
}

/** Name of the input and the output that hold what the inner parts give. */
const innerName = "inner";

/**
 * Runs the U-Net over a batch of rows, which may use each other's queries, keys, values or attention maps. Predicts ε or v,
 * whichever the model was trained for.
 */
export class Predictor {
  private readonly session: MeasuredSession;
  /** Computes the outer parts alone. Absent if the inner parts are computed at every call. */
  private readonly outer: MeasuredSession | undefined;
  private readonly config: UNetConfig;
  private readonly groups: readonly OpenGroup[];
  private readonly expected: ReturnType<typeof predictArguments>;
  /** Does the computations between predictions. */
  readonly arithmetic: OpenArithmetic;

  constructor(
    session: MeasuredSession,
    { unet, arithmetic }: Pick<Model, "unet" | "arithmetic">,
    groups: readonly OpenGroup[],
    shapes: RowShapes,
    outer?: MeasuredSession,
  ) {
    this.session = session;
    this.arithmetic = arithmetic;
    this.outer = outer;
    this.config = unet;
    this.groups = groups;
    this.expected = predictArguments(shapes);
  }

  /** Throws MemoryError if a batch of so many rows would need more memory than is free. */
  checkBatch(rows: number): void {
    this.session.checkBatch(rows);
  }

  /**
   * Predicts ε or v for each row, [B, C, h, w]. Without `sources` every row uses its own queries, keys and values. Throws
   * UsageError if a row does not have this predictor's size or a source is not in the batch, NumericError if the output is
   * not finite, or CancelledError.
   */
  async predict(
    rows: readonly Row[],
    timestep: number,
    options: { sources?: Sources; signal?: AbortSignal } = {},
  ): Promise<Tensor> {
    return (await this.look(rows, timestep, options)).output;
  }

  /** Like `predict`, and returns the attention maps of the sites `observe`, which must be among those of the Routing. */
  async look(
    rows: readonly Row[],
    timestep: number,
    options: { sources?: Sources; observe?: readonly string[]; signal?: AbortSignal } = {},
  ): Promise<NoisePrediction> {
    checkArguments("predict", this.expected, { rows, timestep, options });
    const { signal, ...others } = options;
    return openArithmeticHere.during(async (math) => {
      const { output, inner, maps } = await this.evaluate(math, rows, timestep, others);
      const [read, ...more] = await math.read(inner ? [output, inner] : [output]);
      return { output: read, maps, inner: more[0] };
    }, signal);
  }

  /** Like `look`, for rows of `math`, where the outputs stay. */
  async evaluate(
    math: Arithmetic,
    rows: readonly ValueRow[],
    timestep: number,
    { sources = {}, observe = [] }: PredictOptions = {},
  ): Promise<PredictedValues> {
    const here = rows.filter(({ latent, context }) => "data" in latent || "data" in context);
    if (here.length > 0) checkArguments("predict", this.expected, { rows: here, timestep, options: {} });
    checkArguments("predict", sourcesArgument(rows.length), { sources });
    this.requireGroups(Object.keys(sources));
    const stacked = {
      sample: await math.stack(rows.map(({ latent }) => latent)),
      context: await math.stack(rows.map(({ context }) => context)),
    };
    const feeds: Record<string, Value | IntTensor> = {
      ...stacked,
      time: timestepSinusoids(this.config, Array<number>(rows.length).fill(timestep)),
    };
    for (const group of this.groups) Object.assign(feeds, feedsOf(group, rows.length, sources[group.name]));
    const predicted = await this.predicted(math, feeds, rows, observe);
    // The stack of a single row is that row.
    if (rows.length > 1) math.release(...Object.values(stacked));
    return predicted;
  }

  private async predicted(
    math: Arithmetic,
    feeds: Record<string, Value | IntTensor>,
    rows: readonly ValueRow[],
    observe: readonly string[],
  ): Promise<PredictedValues> {
    const known = rows.flatMap(({ inner }) => inner ?? []);
    if (this.outer && known.length === rows.length && observe.length === 0) {
      const all: typeof feeds = { ...feeds, [innerName]: await math.stack(known) };
      const own = Object.fromEntries(this.outer.inputs.map(({ name }) => [name, all[name]]));
      const { values } = await math.run(this.outer, { feeds: own, values: ["output"] });
      return { output: values.output, maps: new Map() };
    }
    const { values, tensors } = await math.run(this.session, {
      feeds,
      values: ["output", ...(this.outer ? [innerName] : [])],
      tensors: observe.map(mapsOutput),
    });
    const maps = new Map(observe.map((path) => [path, tensors[mapsOutput(path)]]));
    return { output: values.output, inner: values[innerName], maps };
  }

  private requireGroups(names: readonly string[]): void {
    const known = this.groups.map(({ name }) => name);
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length === 0) return;
    throw new UsageError("no such group of attention sites", {
      where: "sources",
      found: unknown.join(", "),
      expected: `groups that the predictor was opened with: ${known.join(", ") || "none"}`,
    });
  }
}

/** Returns the graph inputs of a group: the rows that each of `count` rows takes from, their masks, and how maps are mixed. */
function feedsOf(
  { name, takes, tokens, masked, sizes }: OpenGroup,
  count: number,
  taken: Taken | undefined,
): Record<string, Tensor | IntTensor> {
  const own = Array.from({ length: count }, (_, r) => r);
  const route = { shape: [count], data: Int32Array.from(taken?.from ?? own) };
  if (taken?.masks && !masked) throw new GraphError("a mask of keys in a group that is not masked", { where: name });
  if (takes !== "maps") {
    const routes = takenProjections[takes].map((projection) => [routeInput(name, projection), route] as const);
    return Object.assign(Object.fromEntries(routes), ...(sizes ?? []).map((size) => marksOf(name, size, count, taken)));
  }
  const names = mixInputs(name);
  const weights = { taken: tensor([count, tokens]), kept: tensor([count, tokens]) };
  const mapper = tensor([count, tokens, tokens]);
  for (let r = 0; r < count; r++) {
    const takesOther = taken !== undefined && taken.from[r] !== r;
    const mix: MapMix = taken?.mix?.[r] ?? { taken: takesOther ? 1 : 0, kept: takesOther ? 0 : 1 };
    for (const key of ["taken", "kept"] as const) {
      const value = mix[key];
      const row = weights[key].data.subarray(r * tokens, (r + 1) * tokens);
      if (typeof value === "number") row.fill(value);
      else row.set(fitting(value, tokens, `${name}, ${key}`));
    }
    const map = mapper.data.subarray(r * tokens ** 2, (r + 1) * tokens ** 2);
    if (mix.mapper) map.set(fitting(mix.mapper, tokens ** 2, `${name}, mapper`));
    else for (let k = 0; k < tokens; k++) map[k * tokens + k] = 1;
  }
  return {
    [routeInput(name, "maps")]: route,
    [names.taken]: weights.taken,
    [names.kept]: weights.kept,
    ...(tokens > 1 && { [names.mapper]: mapper }),
  };
}

/**
 * Returns the graph inputs that mask keys at the sites of one size: 1 at marked tokens; all are marked in rows without a mask.
 */
function marksOf(name: string, size: Size, count: number, taken: Taken | undefined): Record<string, Tensor> {
  const { height, width } = size;
  const names = maskInputs(name, size);
  const marks = (of: keyof KeyMask): Tensor => {
    const made = tensor([count, height * width]);
    for (let r = 0; r < count; r++) {
      const row = made.data.subarray(r * height * width, (r + 1) * height * width);
      const mask = taken?.masks?.[r];
      if (mask)
        resizeMask(mask[of], width, height).data.forEach((byte, k) => {
          row[k] = byte > 0 ? 1 : 0;
        });
      else row.fill(1);
    }
    return made;
  };
  return { [names.queries]: marks("queries"), [names.keys]: marks("keys") };
}

function fitting({ shape, data }: Tensor, length: number, where: string): Float32Array {
  if (data.length === length) return data;
  throw new GraphError("a mix of attention maps does not fit the text", {
    where,
    found: shapeText(shape),
    expected: `${length} numbers`,
  });
}

/** A routing in which no row uses another's queries, keys, values or maps. */
export const unrouted: Routing = { groups: [] };

/**
 * Finds the sites of a group. Throws UsageError if one does not exist, and GraphError if the group mixes the maps of both
 * kinds of attention, or if it cannot be masked.
 */
function sitesOf({ name, sites, takes, masked }: SiteGroup, all: readonly AttentionSite[]): AttentionSite[] {
  const found = chooseSites(all, { paths: sites }, `routing, ${name}`);
  if (masked && (takes !== "kv" || found.some(({ kind }) => kind !== "self"))) {
    throw new GraphError("only self-attention of a group that takes keys and values can be masked", { where: name });
  }
  if (takes === "maps" && new Set(found.map(({ kind }) => kind)).size > 1) {
    throw new GraphError("a group mixes the maps of self- and cross-attention", { where: name });
  }
  return found;
}

/** Returns the different sizes of attention sites, in tokens. */
const sizesOf = (sites: readonly AttentionSite[]): Size[] => [
  ...new Map(sites.map(({ height, width }) => [`${width}x${height}`, { height, width }])).values(),
];

/**
 * Opens the model's U-Net for pictures of a size. The model keeps the program, and predictors with the same size, routing and
 * weights share it. weights: replace the checkpoint's; a grid of positions among them is added to conv_in's output. Throws
 * UsageError if the model has no such size or attention site, CheckpointError if a weight is missing or has another shape,
 * MemoryError or CancelledError.
 */
export async function openPredictor(
  model: Model,
  size: Size,
  routing: Routing = unrouted,
  signal?: AbortSignal,
  weights?: WeightSet,
): Promise<Predictor> {
  checkArguments("openPredictor", openArguments, { model, size, routing, signal });
  const latent = model.latentShape(size);
  const [, channels, h, w] = latent;
  const { groups: asked, observe = [], reusesInner = false } = routing;
  const sites = asked.length + observe.length > 0 ? model.attentionSites(size) : [];
  const groups = asked
    .filter((group) => group.sites.length > 0)
    .map((group): OpenGroup => {
      const own = sitesOf(group, sites);
      const tokens = own[0].kind === "cross" ? model.text.length : 1;
      return { ...group, tokens, ...(group.masked && { sizes: sizesOf(own) }) };
    });
  if (observe.length > 0) chooseSites(sites, { paths: observe }, "routing, observe");
  const build = (inner?: g.Node): Record<string, g.Node> => {
    const maps = new Map<string, g.Node>();
    const within: Record<string, g.Node> = {};
    const inputs = {
      sample: g.input("sample", ["B", channels, h, w]),
      time: g.input("time", timeShape(model.unet, "B")),
      context: g.input("context", ["B", model.text.length, model.text.width]),
      ...(weights?.has(positionWeight) && {
        position: g.parameter(positionWeight, positionShape(model.unet, { height: h, width: w })),
      }),
      inner,
    };
    const attend = controlled(
      groups,
      collecting(({ path }) => observe.includes(path), maps),
    );
    const output = unet(model.unet, inputs, attend, undefined, (node) => {
      if (reusesInner && !inner) within[innerName] = node;
    });
    return { output, ...within, ...Object.fromEntries([...maps].map(([path, node]) => [mapsOutput(path), node])) };
  };
  const name = `U-Net for pictures of ${size.width}x${size.height}`;
  const key = `${name} ${JSON.stringify([groups, observe, reusesInner])}`;
  const context = [1, model.text.length, model.text.width];
  const open = (what: string, graph: () => Record<string, g.Node>): Promise<MeasuredSession> =>
    model.programs.open("unet", `${name}${what}`, graph, signal, { key: `${key}${what}`, weights, approximate: true });
  const program = await open("", () => build());
  if (!reusesInner) return new Predictor(program, model, groups, { latent, context });
  const { shape } = program.outputs.find((output) => output.name === innerName)!;
  const outer = await open(", outer parts", () => build(g.input(innerName, shape)));
  return new Predictor(program, model, groups, { latent, context }, outer);
}
