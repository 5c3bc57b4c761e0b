import { z } from "zod";
import { type DeclaredOption, optionsOf } from "../core/index.ts";
import { type Method, methods, schemaOf, type Verb } from "../editing/index.ts";
import { blobId, type MethodDescription, type OptionDescription } from "./api/index.ts";

/** Describes all methods for clients: needs, pictures, presets, options with JSON Schemas of their values. */
export const describeMethods = (): MethodDescription[] => methods().map(describe);

const describe = (method: Method): MethodDescription => ({
  name: method.name,
  title: method.title,
  paper: method.paper,
  caption: method.needs.caption,
  randomSeed: method.needs.randomSeed,
  weightGradients: method.needs.weightGradients,
  pictures: method.pictures,
  presets: Object.keys(method.presets ?? {}),
  hasStrip: method.strip !== undefined,
  options: (["prepare", "edit"] as const).flatMap((verb) =>
    optionsOf(schemaOf(method, verb)).map((one) => optionDescription(one, verb)),
  ),
});

function optionDescription(one: DeclaredOption, verb: Verb): OptionDescription {
  const { name, about, expected, isFile, usual = false, unset } = one;
  return {
    name,
    about,
    of: verb,
    expected,
    schema: isFile ? jsonSchemaOf(blobId) : jsonSchemaOf(one.schema),
    isFile,
    isUsual: usual,
    ...(isPlain(one.default) && { default: one.default }),
    ...(unset !== undefined && { unset }),
  };
}

/** Returns the JSON Schema of the values that a schema takes, without those that JSON cannot express, such as functions. */
function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...made } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      // A way that JSON cannot express would take any value.
      if (jsonSchema.anyOf) jsonSchema.anyOf = jsonSchema.anyOf.filter((one) => Object.keys(one).length > 0);
    },
  });
  return made;
}

/** Tells if JSON can hold a value. */
const isPlain = (value: unknown): boolean => value !== undefined && z.json().safeParse(value).success;
