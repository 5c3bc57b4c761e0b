import { CheckpointError, UsageError } from "../core/index.ts";
import type { Node } from "../graph/index.ts";
import * as g from "../graph/index.ts";

/** One attention layer of a U-Net. */
export interface AttentionSite {
  /** Where it stands, as diffusers calls it: "down_blocks.0.attentions.0.transformer_blocks.0.attn1". */
  path: string;
  /** self: over the picture's own tokens; cross: over the text. */
  kind: "self" | "cross";
  /** How often the picture was halved before it: 0 is the finest. */
  level: number;
  /** Order of execution among the sites of its kind, from 0. */
  index: number;
  heads: number;
  height: number;
  width: number;
}

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

/** The graph input that says which row each row takes its `part` from, at the sites of `group`. */
export const routeInput = (group: string, part: Part): string => `route.${group}.${part}`;

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
  const inputs = new Map<string, Node>();
  const route = (name: string): Node => {
    const known = inputs.get(name) ?? g.input(name, ["B"], "int64");
    inputs.set(name, known);
    return known;
  };
  return (site, projections) => {
    const group = groupOf(site);
    if (group === undefined) return inner(site, projections);
    const moved = which.map((part) => [part, g.gather(projections[part], route(routeInput(group, part)))]);
    return inner(site, { ...projections, ...Object.fromEntries(moved) });
  };
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

/** Which sites a control acts on: of one kind, at some levels, or with some paths; all that are given must hold. */
export interface SiteChoice {
  kind?: AttentionSite["kind"];
  levels?: readonly number[];
  paths?: readonly string[];
}

/**
 * The sites that fit `choice`. Throws UsageError where none does, with what there is: a control that acts nowhere is a
 * mistake, never a success.
 */
export function chooseSites(sites: readonly AttentionSite[], choice: SiteChoice, option: string): AttentionSite[] {
  const chosen = sites.filter(
    (site) =>
      (choice.kind === undefined || site.kind === choice.kind) &&
      (choice.levels === undefined || choice.levels.includes(site.level)) &&
      (choice.paths === undefined || choice.paths.includes(site.path)),
  );
  const unknown = (choice.paths ?? []).filter((path) => !sites.some((site) => site.path === path));
  if (chosen.length === 0 || unknown.length > 0) {
    throw new UsageError("chooses no attention site", {
      where: option,
      found: unknown.length > 0 ? unknown.join(", ") : JSON.stringify(choice),
      expected: `some of ${sites.length} sites: ${sites.map(({ path, level }) => `${path} (level ${level})`).join(", ")}`,
    });
  }
  return chosen;
}

/** Splits channels into heads. Throws CheckpointError where the config's head count does not divide them. */
export function headCount(heads: number, channels: number, where: string): number {
  if (channels % heads !== 0) {
    throw new CheckpointError("attention heads do not divide the channels", {
      where,
      found: `${heads} heads, ${channels} channels`,
    });
  }
  return heads;
}
