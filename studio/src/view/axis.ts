import { pairOrNumber } from "../../../src/core/optionText.ts";
import type { OptionDescription } from "../../../src/server/api/index.ts";
import { optionText } from "./settings.ts";

/** Most edits of one sweep that the form offers: more take long, and their cells get too small to compare. */
export const MOST_EDITS = 60;

type Schema = OptionDescription["schema"];

/** Returns the schemas of which a value must fit one. */
const variants = (schema: Schema): readonly Schema[] => (schema.anyOf ?? schema.oneOf ?? [schema]) as readonly Schema[];

/** Tells if an option has values that a sweep can go through: numbers, words of a list, or on and off. */
export const canVary = (option: OptionDescription): boolean =>
  option.of === "edit" &&
  !option.isFile &&
  variants(option.schema).some(
    ({ type, enum: words }) => type === "number" || type === "integer" || type === "boolean" || Array.isArray(words),
  );

/** Returns values of an option to begin with: its words, on and off, or five numbers over its range. */
export function usualValues(option: OptionDescription): readonly unknown[] {
  for (const { type, enum: words, minimum, maximum } of variants(option.schema)) {
    if (Array.isArray(words)) return words;
    if (type === "boolean") return [false, true];
    if (type !== "number" && type !== "integer") continue;
    if (minimum === 0 && maximum === 1) return [0, 0.25, 0.5, 0.75, 1];
    const usual = typeof option.default === "number" ? option.default : 4;
    const values = [0.5, 1, 2].map((factor) => factor * usual);
    return type === "integer" ? [...new Set(values.map(Math.round))] : values;
  }
  return [];
}

/** Writes the values of an axis as a person edits them: "0.2, 0.5, 0.8:0.1". */
export const axisText = (option: OptionDescription, values: readonly unknown[]): string =>
  values.map((value) => optionText(option, value)).join(", ");

/** Reads the values of an axis, each once. The server checks that they are allowed. */
export function axisValues(option: OptionDescription, text: string): unknown[] {
  const parts = new Set(text.split(",").map((part) => part.trim()));
  parts.delete("");
  const isSwitch = option.schema.type === "boolean";
  const read = (part: string): unknown => {
    if (isSwitch && (part === "true" || part === "on")) return true;
    if (isSwitch && (part === "false" || part === "off")) return false;
    return pairOrNumber(part);
  };
  return [...parts].map(read);
}
