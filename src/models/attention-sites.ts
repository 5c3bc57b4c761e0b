import { CheckpointError, UsageError } from "../core/index.ts";

/** One attention layer of a U-Net. */
export interface AttentionSite {
  /** Its path in diffusers: "down_blocks.0.attentions.0.transformer_blocks.0.attn1". */
  path: string;
  /** self: between the pixels of the picture; cross: from pixels to the prompt. */
  kind: "self" | "cross";
  /** Level of resolution: 0 is the finest, and each further level halves both sides. */
  level: number;
  /** Position among the sites of its kind, in order of execution, from 0. */
  index: number;
  heads: number;
  height: number;
  width: number;
}

/** A choice of sites: by kind, by level, by path. A site must fit every given field. */
export interface SiteChoice {
  kind?: AttentionSite["kind"];
  levels?: readonly number[];
  paths?: readonly string[];
}

/**
 * The sites that fit `choice`. Throws UsageError that lists the existing sites if none fits or a path does not exist: a
 * control without effect is a mistake.
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
    const { kind, levels = [] } = choice;
    const own = sites.filter((site) => kind === undefined || site.kind === kind);
    const given = unknown.length > 0 ? unknown.join(", ") : levels.map((level) => `level ${level}`).join(", ");
    throw new UsageError("there is no such attention site", {
      where: option,
      found: given || "none",
      expected: `some of ${own.length} sites: ${own.map(({ path, level }) => `${path} (level ${level})`).join(", ")}`,
    });
  }
  return chosen;
}

/** Returns the number of heads. Throws CheckpointError if the channels are not divisible by it. */
export function headCount(heads: number, channels: number, where: string): number {
  if (channels % heads !== 0) {
    throw new CheckpointError("the channels are not divisible by the attention heads", {
      where,
      found: `${heads} heads, ${channels} channels`,
    });
  }
  return heads;
}
