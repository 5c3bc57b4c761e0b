import type { Node, PortDType, Shape } from "../graph/index.ts";
import * as g from "../graph/index.ts";
import type { AttentionSite } from "./attention-sites.ts";

/** query: [B, L, C]; key and value: [B, M, C]. */
export interface Projections {
  query: Node;
  key: Node;
  value: Node;
}

/** Computes attention at a site: from query, key and value to the attended values [B, L, C]. */
export type AttentionControl = (site: AttentionSite, projections: Projections) => Node;

/** The model's own attention. */
export const plainAttention: AttentionControl = ({ heads }, { query, key, value }) =>
  g.attention(query, key, value, { heads });

export type ProjectionName = keyof Projections;

/** Name of the graph input with, for each row, the row whose projection or maps it takes, at the sites of `group`. */
export const routeInput = (group: string, takes: ProjectionName | "maps"): string => `route.${group}.${takes}`;

/**
 * Attention in which rows take their queries, keys or values from other rows. The sites of a group share their routes. A
 * route is a graph input of row numbers [B], so it can change at every step.
 *
 * groupOf: the group of a site; undefined if the site is not changed.
 */
export function routed(
  groupOf: (site: AttentionSite) => string | undefined,
  names: readonly ProjectionName[],
  inner: AttentionControl = plainAttention,
): AttentionControl {
  const input = inputsOnce();
  return (site, projections) => {
    const group = groupOf(site);
    if (group === undefined) return inner(site, projections);
    const route = (name: ProjectionName): Node => input(routeInput(group, name), ["B"], "int64");
    const moved = names.map((name) => [name, g.gather(projections[name], route(name))]);
    return inner(site, { ...projections, ...Object.fromEntries(moved) });
  };
}

/** Returns a function that makes each graph input once. */
function inputsOnce(): (name: string, shape: Shape, dtype?: PortDType) => Node {
  const made = new Map<string, Node>();
  return (name, shape, dtype) => {
    const known = made.get(name) ?? g.input(name, shape, dtype);
    made.set(name, known);
    return known;
  };
}

/** Names of the graph inputs that mix the attention maps of a group, besides its route. */
export const mixInputs = (group: string) => ({
  mapper: `mix.${group}.mapper`,
  taken: `mix.${group}.taken`,
  kept: `mix.${group}.kept`,
});

/**
 * Attention with mixed maps: M' = taken ⊙ (S·mapper) + kept ⊙ M. M are the row's own maps, S those of the row that its route
 * names. Replacement, refinement and re-weighting of Prompt-to-Prompt are choices of mapper, taken and kept (Hertz et al.
 * 2022).
 *
 * Cross-attention, M tokens: mapper [B, M, M], taken and kept [B, M]. Self-attention: taken and kept [B, 1], no mapper.
 *
 * observe: gets the mixed maps M'.
 */
export function mixed(
  groupOf: (site: AttentionSite) => string | undefined,
  inner = plainAttention,
  observe?: MapsObserver,
): AttentionControl {
  const input = inputsOnce();
  return (site, projections) => {
    const group = groupOf(site);
    if (group === undefined) return inner(site, projections);
    const { query, key, value } = projections;
    const names = mixInputs(group);
    const isCross = site.kind === "cross";
    const tokens = isCross ? key.shape[1] : 1;
    const weight = (name: string): Node => g.reshape(input(name, ["B", tokens]), ["B", 1, 1, tokens]);
    const own = g.attentionMaps(query, key, site.heads);
    const source = g.gather(own, input(routeInput(group, "maps"), ["B"], "int64"));
    const moved = isCross
      ? g.matmul(source, g.reshape(input(names.mapper, ["B", tokens, tokens]), ["B", 1, tokens, tokens]))
      : source;
    const maps = g.add(g.mul(weight(names.taken), moved), g.mul(weight(names.kept), own));
    observe?.(site, () => maps);
    return g.attend(maps, value);
  };
}

/** Names of the graph inputs that mask keys at the sites of a group with height × width tokens. */
export const maskInputs = (group: string, { height, width }: Pick<AttentionSite, "height" | "width">) => ({
  queries: `mask.${group}.${width}x${height}.queries`,
  keys: `mask.${group}.${width}x${height}.keys`,
});

/** Added to the score of a key that a query must not see. Softmax gives 0 for it, unless the query sees no key at all. */
const hidden = -1e30;

/**
 * Self-attention with masked keys: marked queries see the marked keys only, and all other queries the other keys only. A query
 * that sees no key attends to all of them alike. Marks are graph inputs, [B, tokens]: 1 if a token is marked, else 0.
 *
 * The mask is not a matrix, which would be as large as the attention maps, but two more channels of each head: for a mark t of
 * a query and s of a key, [t, 1 − t]·[1 − s, s] is 0 if t = s, else 1.
 */
export function masked(
  groupOf: (site: AttentionSite) => string | undefined,
  inner: AttentionControl = plainAttention,
): AttentionControl {
  const input = inputsOnce();
  return (site, { query, key, value }) => {
    const group = groupOf(site);
    if (group === undefined) return inner(site, { query, key, value });
    const names = maskInputs(group, site);
    const tokens = site.height * site.width;
    const [t, s] = [names.queries, names.keys].map((name) => input(name, ["B", tokens]));
    const depth = (query.shape[2] as number) / site.heads;
    // Attention divides by the square root of the new depth.
    const scaled = g.mul(query, Math.sqrt((depth + 2) / depth));
    return inner(site, {
      query: withChannels(scaled, site.heads, [g.mul(t, hidden), g.mul(g.sub(1, t), hidden)]),
      key: withChannels(key, site.heads, [g.sub(1, s), s]),
      value,
    });
  };
}

/** Adds channels to each head, equal for all heads. x: [B, L, heads·d]; channels: n of [B, L] → [B, L, heads·(d + n)]. */
function withChannels(x: Node, heads: number, channels: readonly Node[]): Node {
  const [batch, length, width] = x.shape;
  const depth = (width as number) / heads;
  const split = g.reshape(x, [batch, length, heads, depth]);
  const oneChannel = g.slice(split, 3, 0, 1);
  const added = channels.map((one) => g.broadcastLike(g.reshape(one, [batch, length, 1, 1]), oneChannel));
  return g.reshape(g.concat([split, ...added], 3), [batch, length, heads * (depth + channels.length)]);
}

/** The things that rows can take from each other at a site: query and key, key and value, or attention maps. */
export const takenKinds = ["qk", "kv", "maps"] as const;
export type TakenKind = (typeof takenKinds)[number];

/** The projections of the kinds that are not maps. */
export const takenProjections: Readonly<Record<Exclude<TakenKind, "maps">, readonly ProjectionName[]>> = {
  qk: ["query", "key"],
  kv: ["key", "value"],
};

/** Attention sites, by their paths in diffusers, at which rows take the same from the same rows. */
export interface SiteGroup {
  readonly name: string;
  readonly sites: readonly string[];
  readonly takes: TakenKind;
  /** Rows may mask the keys that they take. For self-attention sites of a group that takes "kv". Default: false. */
  readonly masked?: boolean;
}

/** Gets the attention maps of a site, [B, heads, L, M], by which its values are weighed. Computes them only if it calls `maps`. */
export type MapsObserver = (site: AttentionSite, maps: () => Node) => void;

/** Adds the maps of the chosen sites to `maps`, by path. */
export const collecting =
  (choose: (site: AttentionSite) => boolean, maps: Map<string, Node>): MapsObserver =>
  (site, node) => {
    if (choose(site)) maps.set(site.path, node());
  };

/** The model's own attention, observed. */
export const observed =
  (observe: MapsObserver): AttentionControl =>
  (site, projections) => {
    observe(site, () => g.attentionMaps(projections.query, projections.key, site.heads));
    return plainAttention(site, projections);
  };

/**
 * Attention in which the rows of each group take from each other. Sites without a group keep the model's own attention.
 * observe: gets the maps after rows have taken from each other.
 */
export function controlled(groups: readonly SiteGroup[], observe?: MapsObserver): AttentionControl {
  const groupAt = (takes: TakenKind, { path }: AttentionSite) =>
    groups.find((group) => group.takes === takes && group.sites.includes(path));
  const groupOf = (takes: TakenKind) => (site: AttentionSite) => groupAt(takes, site)?.name;
  const maskedGroupOf = (site: AttentionSite) => {
    const group = groupAt("kv", site);
    return group?.masked ? group.name : undefined;
  };
  const { qk, kv } = takenProjections;
  const own = observe ? observed(observe) : plainAttention;
  const inner = routed(groupOf("qk"), qk, routed(groupOf("kv"), kv, masked(maskedGroupOf, own)));
  return mixed(groupOf("maps"), inner, observe);
}
