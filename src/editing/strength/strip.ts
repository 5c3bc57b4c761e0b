import { UsageError } from "../../core/index.ts";
import type { Method, ResolveFacts } from "../method.ts";

type Values = Readonly<Record<string, unknown>>;

/** The way to set how much of the photo an edit keeps: it chooses, a share says it, or its settings stay as they are. */
type Decision = { readonly keep: number } | "auto" | "fixed";

/**
 * Decides by the given options. given: as the caller wrote them; settings: with the model's and the method's defaults.
 * Throws UsageError if the caller gives two ways to decide at once.
 */
function decisionOf({ strip }: Method, given: Values, settings: Values, chooses: boolean): Decision {
  if (!strip) return "fixed";
  const wantsAuto = given.strength === "auto";
  if (wantsAuto && !chooses) {
    throw new UsageError("this command has no strength to choose", {
      where: "strength",
      found: "auto",
      expected: "settings, or keep",
    });
  }
  const own = strip.options.filter((name) => given[name] !== undefined && !(name === "strength" && wantsAuto));
  const ways = [
    ...(given.keep === undefined ? [] : ["keep"]),
    ...(wantsAuto ? ["strength auto"] : []),
    ...(given.strength === "fixed" && given.keep !== undefined ? ["strength fixed"] : []),
    ...(own.length > 0 ? [own.join(", ")] : []),
  ];
  if (ways.length > 1) {
    throw new UsageError("two options set how much of the photo to keep", {
      where: ways.join(", "),
      expected: "one of them",
    });
  }
  if (typeof given.keep === "number") return { keep: given.keep };
  return chooses && own.length === 0 && settings.strength === "auto" ? "auto" : "fixed";
}

/** Resolves settings by the method, as plain data. */
const resolved = (method: Method, settings: Values, facts: ResolveFacts): Values =>
  method.resolve?.(settings, facts) ?? settings;

/** Removes `keep`, and `strength` if it is a word, because they say how other settings are chosen. */
function withoutDecision({ keep: _, strength, ...settings }: Values): Values {
  return typeof strength === "number" ? { ...settings, strength } : settings;
}

/**
 * Returns the settings of the edit of a strip that keeps a share of the photo. settings: those that the strip does not set;
 * usual: the model's.
 */
export function settingsAt(method: Method, keep: number, settings: Values, usual: Values, facts: ResolveFacts): Values {
  return resolved(method, { ...withoutDecision(settings), ...method.strip!.settings(keep, usual, facts) }, facts);
}

/** Input of `decide`. */
interface Settings {
  /** Options as the caller wrote them. */
  readonly given: Values;
  /** These, with the model's and the method's defaults. */
  readonly settings: Values;
  /** The defaults alone. */
  readonly usual: Values;
}

/**
 * Resolves the settings of an edit. If the edit is to choose its strength by itself, the result has strength "auto" and lacks
 * the options of the strip. chooses: the caller can choose. Throws UsageError.
 */
export function decide(
  method: Method,
  { given, settings, usual }: Settings,
  facts: ResolveFacts,
  chooses: boolean,
): Values {
  const decision = decisionOf(method, given, settings, chooses);
  if (typeof decision === "object") return settingsAt(method, decision.keep, settings, usual, facts);
  if (decision === "fixed") return resolved(method, withoutDecision(settings), facts);
  const chosen = new Set(method.strip!.options);
  // Any edit of the strip finds mistakes in the other settings.
  const others = Object.entries(settingsAt(method, 0, settings, usual, facts)).filter(([name]) => !chosen.has(name));
  return { ...Object.fromEntries(others), strength: "auto" };
}
