import { CheckpointError, UsageError } from "../core/index.ts";

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
