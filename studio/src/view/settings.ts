import { textOfValue } from "../../../src/core/optionText.ts";
import type {
  Capabilities,
  MethodDescription,
  ModelDescription,
  OptionDescription,
} from "../../../src/server/api/index.ts";
import { spaced } from "./words.ts";

/** One setting of a result, for display. */
export interface Setting {
  readonly name: string;
  readonly label: string;
  readonly text: string;
  readonly about?: string;
  /** True if it is not what the model and the method have by default. */
  readonly isChanged: boolean;
}

export const methodNamed = ({ methods }: Capabilities, name: string | undefined): MethodDescription | undefined =>
  methods.find((one) => one.name === (name ?? methods[0]?.name));

export const modelNamed = ({ models }: Capabilities, name: string | undefined): ModelDescription | undefined =>
  models.find((one) => one.name === (name ?? models[0]?.name));

export const optionNamed = (method: MethodDescription | undefined, name: string): OptionDescription | undefined =>
  method?.options.find((one) => one.name === name);

/** Tells if the value of an option is always a list, from its JSON Schema. A pair is none. */
const isList = ({ schema }: OptionDescription): boolean => schema.type === "array" && !("prefixItems" in schema);

/** Writes the value of an option as the command line does. */
export function optionText(option: OptionDescription | undefined, value: unknown): string {
  const isBlob = option?.isFile && typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
  return isBlob ? "a picture" : textOfValue({ isList: option !== undefined && isList(option) }, value);
}

/** Removes the noise of binary fractions: 0.35000000000000003 → 0.35. */
const rounded = (value: unknown): unknown =>
  typeof value === "number" ? Number(value.toPrecision(12)) : Array.isArray(value) ? value.map(rounded) : value;

/** Writes a value for people. */
export function valueText(option: OptionDescription | undefined, value: unknown): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return value === "" ? "nothing" : optionText(option, rounded(value));
}

/** Returns the default of an option with a model. */
export const defaultOf = (
  method: MethodDescription | undefined,
  model: ModelDescription | undefined,
  name: string,
): unknown => model?.defaults[method?.name ?? ""]?.[name] ?? optionNamed(method, name)?.default;

/** Tells if a value is the default. A share of the steps is also written as a range that begins at 0. */
const isUsual = (value: unknown, usual: unknown): boolean =>
  [usual, [0, usual]].some((one) => JSON.stringify(one) === JSON.stringify(value));

/** Tells if a setting that is no option of a method differs from the usual. */
function isUnusual(name: string, value: unknown, model: ModelDescription | undefined): boolean {
  if (name === "fit") return value !== "crop";
  if (name === "size") return model !== undefined && value !== `${model.size.width}x${model.size.height}`;
  return name === "source";
}

/**
 * Lists the settings of a result, those that were changed first. given: options that the request named; the others were
 * decided by the method.
 */
export function settingsList(
  capabilities: Capabilities,
  modelName: string | undefined,
  settings: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>> = {},
): Setting[] {
  const method = methodNamed(capabilities, settings.method as string | undefined);
  const model = modelNamed(capabilities, modelName);
  const all = Object.entries(settings)
    .filter(([name, value]) => value !== undefined && value !== null && !["method", "target"].includes(name))
    .map(([name, value]): Setting => {
      const option = optionNamed(method, name);
      const usual = defaultOf(method, model, name);
      const differs = usual === undefined ? name in given : !isUsual(value, usual);
      return {
        name,
        label: spaced(name),
        text: valueText(option, value),
        ...(option && { about: option.about }),
        isChanged: option ? differs : isUnusual(name, value, model),
      };
    });
  return [...all.filter(({ isChanged }) => isChanged), ...all.filter(({ isChanged }) => !isChanged)];
}
