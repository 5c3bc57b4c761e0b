import type { DType, Node, Shape } from "../graph/index.ts";
import * as g from "../graph/index.ts";
import type { AttentionSite } from "./attention-sites.ts";

/** query: [B, L, C]; key and value: [B, M, C]. */
export interface Projections {
  query: Node;
  key: Node;
  value: Node;
}

/** What happens at a site: from query, key and value to the attended values [B, L, C]. */
export type AttentionControl = (site: AttentionSite, projections: Projections) => Node;

/** Attention as the model has it. */
export const plainAttention: AttentionControl = ({ heads }, { query, key, value }) =>
  g.attention(query, key, value, { heads });

export type Part = keyof Projections;
export const parts = ["query", "key", "value"] as const satisfies readonly Part[];

/** The graph input that says which row each row takes its `part` (or its maps) from, at the sites of `group`. */
export const routeInput = (group: string, part: Part | "maps"): string => `route.${group}.${part}`;

/**
 * Lets rows take their queries, keys or values from other rows. Sites of one group share their routes; each route is a
 * graph input of row numbers [B], so what is routed can change at every step.
 *
 * groupOf: the group of a site, or undefined for a site that is left alone.
 */
export function routed(
  groupOf: (site: AttentionSite) => string | undefined,
  which: readonly Part[],
  inner: AttentionControl = plainAttention,
): AttentionControl {
  const input = inputsOnce();
  return (site, projections) => {
    const group = groupOf(site);
    if (group === undefined) return inner(site, projections);
    const route = (part: Part): Node => input(routeInput(group, part), ["B"], "int64");
    const moved = which.map((part) => [part, g.gather(projections[part], route(part))]);
    return inner(site, { ...projections, ...Object.fromEntries(moved) });
  };
}

/** Makes each graph input once, by its name. */
function inputsOnce(): (name: string, shape: Shape, dtype?: DType) => Node {
  const made = new Map<string, Node>();
  return (name, shape, dtype) => {
    const known = made.get(name) ?? g.input(name, shape, dtype);
    made.set(name, known);
    return known;
  };
}

/** The graph inputs of a group whose attention maps are mixed, besides its route. */
export const mixInputs = (group: string) => ({
  mapper: `mix.${group}.mapper`,
  taken: `mix.${group}.taken`,
  kept: `mix.${group}.kept`,
});

/**
 * Attention with mixed maps: M' = taken ⊙ (S·mapper) + kept ⊙ M, where M are a row's own maps and S those of the row that
 * its route names. Prompt-to-Prompt's replacement, refinement and re-weighting are choices of the three (Hertz et al. 2022).
 *
 * Cross-attention, M tokens: mapper [B, M, M], taken and kept [B, M]. Self-attention: taken and kept [B, 1], no mapper.
 */
export function mixed(groupOf: (site: AttentionSite) => string | undefined, inner = plainAttention): AttentionControl {
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
    return g.attend(maps, value);
  };
}

/** What the rows of a group's sites take from each other: query and key, key and value, or the attention maps, mixed. */
export const takings = ["qk", "kv", "maps"] as const;
export type Taking = (typeof takings)[number];

/** The projections that a group takes, other than whole maps. */
export const takenParts: Readonly<Record<Exclude<Taking, "maps">, readonly Part[]>> = {
  qk: ["query", "key"],
  kv: ["key", "value"],
};

/** Attention sites, by their diffusers paths, at which rows take the same things from the same rows. */
export interface SiteGroup {
  readonly name: string;
  readonly sites: readonly string[];
  readonly takes: Taking;
}

/** Attention in which each group of sites takes what it says; sites of no group are the model's own. */
export function controlled(groups: readonly SiteGroup[]): AttentionControl {
  const groupOf = (takes: Taking) => (site: AttentionSite) =>
    groups.find((group) => group.takes === takes && group.sites.includes(site.path))?.name;
  const { qk, kv } = takenParts;
  return mixed(groupOf("maps"), routed(groupOf("qk"), qk, routed(groupOf("kv"), kv)));
}

/** Puts the attention maps [B, heads, L, M] of the chosen sites into `maps`, under their paths. */
export function observed(
  choose: (site: AttentionSite) => boolean,
  maps: Map<string, Node>,
  inner: AttentionControl = plainAttention,
): AttentionControl {
  return (site, projections) => {
    if (choose(site)) maps.set(site.path, g.attentionMaps(projections.query, projections.key, site.heads));
    return inner(site, projections);
  };
}
