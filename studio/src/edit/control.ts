import { pairOrNumber, textOfValue } from "../../../src/core/optionText.ts";
import type { OptionDescription } from "../../../src/server/api/index.ts";

/** Way to enter the value of an option. text: any text. value: a value as the command line writes it. */
export type Control =
  | { readonly kind: "switch" }
  | { readonly kind: "choice"; readonly values: readonly string[] }
  | { readonly kind: "slider"; readonly min: number; readonly max: number }
  | { readonly kind: "number"; readonly min?: number; readonly max?: number; readonly isWhole: boolean }
  | { readonly kind: "text" }
  | { readonly kind: "value"; readonly isList: boolean }
  | { readonly kind: "file" };

/** The part of JSON Schema that options use. */
interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly prefixItems?: readonly Schema[];
}

/** Widest range that a slider can set finely. */
const widestSlider = 2;

/** Chooses the control of an option from its JSON Schema. */
export function controlOf({ schema, isFile }: Pick<OptionDescription, "schema" | "isFile">): Control {
  const { type, enum: values, minimum: min, maximum: max, prefixItems }: Schema = schema;
  if (isFile) return { kind: "file" };
  if (type === "boolean") return { kind: "switch" };
  if (values) return { kind: "choice", values };
  if (type === "number" && min === 0 && max !== undefined && max <= widestSlider) return { kind: "slider", min, max };
  // JSON Schema states the largest exact integer if there is no other bound.
  if (type === "integer" || type === "number") return { kind: "number", min, max, isWhole: type === "integer" };
  if (type === "string") return { kind: "text" };
  return { kind: "value", isList: type === "array" && prefixItems === undefined };
}

/** Writes a value for a text field. */
export const textOf = (control: Control, value: unknown): string => {
  if (value === undefined || value === null) return "";
  return textOfValue({ isList: control.kind === "value" && control.isList }, value);
};

/** Reads the text of a text field. Returns undefined if it is empty. The backend checks the value. */
export function readText(control: Control, text: string): unknown {
  if (text.trim() === "") return undefined;
  if (control.kind === "text" || control.kind === "choice" || control.kind === "file") return text;
  if (control.kind === "switch") return text === "true";
  const parts = text.split(",").map((part) => pairOrNumber(part.trim()));
  const isList = control.kind === "value" && control.isList;
  return isList || parts.length > 1 ? parts : parts[0];
}

/** The options of a method as its form shows them. */
export interface OptionGroups {
  readonly usual: readonly OptionDescription[];
  readonly edit: readonly OptionDescription[];
  readonly prepare: readonly OptionDescription[];
}

/** Groups options: those that people change most first, the rest by what they are of. without: options that have a control of their own. */
export function groupsOf(options: readonly OptionDescription[], without: readonly string[]): OptionGroups {
  const shown = options.filter(({ name }) => !without.includes(name));
  const rest = shown.filter(({ isUsual }) => !isUsual);
  return {
    usual: shown.filter(({ isUsual }) => isUsual),
    edit: rest.filter(({ of }) => of === "edit"),
    prepare: rest.filter(({ of }) => of === "prepare"),
  };
}
