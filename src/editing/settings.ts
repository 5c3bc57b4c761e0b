import { z } from "zod";
import { CheckpointError, few, listed, optionProblems, UsageError } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import type { Method } from "./method.ts";
import { methodsWithoutCaption } from "./registry.ts";

/** The two operations of a method. Each has a schema of options. */
export type Verb = "prepare" | "edit";

/** Returns the schema of a method's prepare or edit options. */
export const schemaOf = (method: Method, verb: Verb): z.ZodObject =>
  verb === "prepare" ? method.prepareOptions : method.editOptions;

/** Returns the names of a method's options, those of prepare first. */
export const optionNames = (method: Method): string[] => [
  ...Object.keys(method.prepareOptions.shape),
  ...Object.keys(method.editOptions.shape),
];

/** Says that a method lacks an option, and which ones it has. known: those that are allowed at this place. */
export const notAnOption = (method: Method, known = optionNames(method)): string =>
  `not an option of ${method.name}; expected ${few(known, 40)}`;

/** Returns the entries that are not undefined. */
const defined = (values: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** Returns a model's defaults for a method, from its editing.json. Throws CheckpointError if the method does not take them. */
function modelDefaults(model: Model, method: Method, verb: Verb): Record<string, unknown> {
  const { steps, guidance, methods } = model.editing;
  const schema = schemaOf(method, verb);
  const own = methods[method.name]?.[verb] ?? {};
  const problems = optionProblems(schema.partial(), own, (name) => `methods.${method.name}.${verb}.${name}`);
  if (problems.length > 0) {
    throw new CheckpointError(`editing defaults that the method does not take\n${listed(problems)}`, {
      where: `${model.name}, editing.json`,
    });
  }
  const common = Object.fromEntries(Object.entries({ steps, guidance }).filter(([name]) => name in schema.shape));
  return { ...common, ...own };
}

/** Returns the values of a preset. Throws UsageError if the method has no preset of that name. */
function presetValues({ name, presets = {} }: Method, preset: string | undefined): object {
  if (preset === undefined) return {};
  if (Object.hasOwn(presets, preset)) return presets[preset];
  throw new UsageError(`no such preset of ${name}`, {
    where: "preset",
    found: preset,
    expected: few(Object.keys(presets)) || "none: it has no presets",
  });
}

/** Schemas of the prompts of an edit. */
export const promptFields = {
  target: z.string().regex(/\S/, "expected what the edited photo shows"),
  source: z.string().regex(/\S/, "expected what the photo shows").optional(),
};

const promptSchema = z.object(promptFields);

/** The prompts of an edit. */
export type PromptInput = Readonly<z.input<typeof promptSchema>>;

/** Lists problems of the prompts, one a line. */
function promptProblems({ name, needs }: Method, prompts: PromptInput): string[] {
  const isMissing = needs.caption === "required" && prompts.source === undefined;
  return [
    ...optionProblems(promptSchema, prompts),
    ...(isMissing
      ? [`source: found nothing, but ${name} needs a caption of the photo; without one: ${methodsWithoutCaption()}`]
      : []),
  ];
}

function parsed(
  schema: z.ZodObject,
  values: Record<string, unknown>,
  { name }: Method,
  more: readonly string[] = [],
): Record<string, unknown> {
  const problems = [...more, ...optionProblems(schema, values)];
  if (problems.length > 0) throw new UsageError(`options of ${name}\n${listed(problems)}`);
  return schema.parse(values);
}

/**
 * Returns all prepare settings: given values, else the preset's, else the model's (editing.json), else the method's
 * defaults. Throws one UsageError that lists every wrong value.
 */
export function prepareSettings<P extends z.ZodObject>(
  method: Pick<Method<P>, "prepareOptions"> & Method,
  model: Model,
  { preset, ...prompts }: PromptInput & { readonly preset?: string },
  given: Partial<z.input<P>>,
): z.output<P> {
  const own = defined(given);
  const values = { ...modelDefaults(model, method, "prepare"), ...presetValues(method, preset), ...own };
  return parsed(method.prepareOptions, values, method, promptProblems(method, prompts)) as z.output<P>;
}

/** Returns all edit settings, chosen as in `prepareSettings`. Some may still depend on the model: see `Method.resolve`. */
export function editSettings<E extends z.ZodObject>(
  method: Pick<Method<z.ZodObject, E>, "editOptions"> & Method,
  model: Model,
  given: Partial<z.input<E>>,
): z.output<E> {
  const values = { ...modelDefaults(model, method, "edit"), ...defined(given) };
  return parsed(method.editOptions, values, method) as z.output<E>;
}
