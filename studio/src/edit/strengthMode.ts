import type { MethodDescription, OptionDescription } from "../../../src/server/api/index.ts";

/**
 * How the strength of an edit is decided. auto: chosen from a strip of edits. keep: a share that the person gives. fixed: by the
 * other settings.
 */
export type StrengthMode = "auto" | "keep" | "fixed";

type Values = Readonly<Record<string, unknown>>;

const allowsAuto = ({ schema }: OptionDescription): boolean => JSON.stringify(schema).includes('"auto"');
const strengthOf = (method: MethodDescription): OptionDescription | undefined =>
  method.options.find(({ name }) => name === "strength");

/** True if the method's `strength` only says how it is decided, so that the form needs no field for it. */
export const strengthIsMode = (method: MethodDescription): boolean => {
  const option = strengthOf(method);
  return method.hasStrip && option?.schema.type === "string";
};

/** Returns the mode that a model has if nothing is given. defaults: the model's, of this method. */
export function usualMode(method: MethodDescription, defaults: Values): StrengthMode {
  const strength = defaults.strength ?? strengthOf(method)?.default;
  return strength === "auto" ? "auto" : "fixed";
}

/** Returns the modes that a method offers. */
export function modesOf(method: MethodDescription): StrengthMode[] {
  if (!method.hasStrip) return [];
  const strength = strengthOf(method);
  return strength && allowsAuto(strength) ? ["auto", "keep", "fixed"] : ["keep", "fixed"];
}

/** Returns the mode that options ask for. */
export function modeOf(method: MethodDescription, defaults: Values, options: Values): StrengthMode {
  if (options.keep !== undefined) return "keep";
  if (options.strength === "auto") return "auto";
  return options.strength === undefined ? usualMode(method, defaults) : "fixed";
}

/** Returns the options in another mode. keep: for the mode of that name. */
export function withMode(
  method: MethodDescription,
  defaults: Values,
  options: Values,
  mode: StrengthMode,
  keep: number,
): Values {
  const { keep: _, strength, ...rest } = options;
  if (mode === "keep") return { ...rest, keep };
  if (mode === usualMode(method, defaults)) return rest;
  if (mode === "auto") return { ...rest, strength: "auto" };
  return strengthIsMode(method) ? { ...rest, strength: "fixed" } : { ...rest, strength: strengthOf(method)?.default };
}
