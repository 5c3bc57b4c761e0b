import { z } from "zod";
import { cut, few, oneOf, optionsOf, problemsOf, whole } from "../../../core/index.ts";
import { methods } from "../../../editing/index.ts";
import { type FieldProblem, RequestError } from "../../errors.ts";
import type { FormField } from "../dialect.ts";

/** Most images of one request, as in OpenAI's API. */
export const MAX_IMAGES = 16;
/** Most edits of one request, as in OpenAI's API. */
const MAX_EDITS = 10;
/** Most fields that are not files. */
export const MAX_FIELDS = 100;

/** Returns a whole number as forms write it. */
const wholeText = (low: number, high: number) => {
  const error = `expected a whole number in ${low}..${high}`;
  return z
    .string({ error })
    .regex(/^\d{1,16}$/, { error })
    .transform(Number)
    .pipe(whole(low, high));
};

const qualities = ["auto", "low", "medium", "high", "xhigh", "max", "standard"] as const;

/** Fields of OpenAI's API that have an effect, or none on purpose. */
export const formSchema = z.strictObject({
  prompt: z.string({ error: "expected what the edited photo shall show" }).min(1, "expected some text"),
  model: z.string().min(1, "expected the name of a model").max(200).optional(),
  n: wholeText(1, MAX_EDITS).default(1),
  size: z
    .string()
    .regex(/^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/, "expected WIDTHxHEIGHT in pixels or auto")
    .default("auto"),
  quality: oneOf(qualities).default("auto"),
  output_format: oneOf(["png", "webp", "jpeg"]).default("png"),
  output_compression: wholeText(0, 100).optional(),
  stream: oneOf(["true", "false"])
    .default("false")
    .transform((text) => text === "true"),
  partial_images: wholeText(0, 3).default(0),
  seed: wholeText(0, Number.MAX_SAFE_INTEGER).optional(),
  response_format: z
    .literal("b64_json", { error: "expected b64_json: this server has no URLs of pictures" })
    .optional(),
  background: z.literal("auto", { error: "expected auto: no method makes a background" }).optional(),
  user: z.string().optional(),
  safety_identifier: z.string().optional(),
});

/** Names the options of methods that take a mask: "masactrl takes baret[sourceMask] and baret[targetMask]". */
const masksOfMethods = (): string =>
  few(
    methods().flatMap(({ name, editOptions }) => {
      const masks = optionsOf(editOptions).flatMap((one) => (one.isFile ? [`baret[${one.name}]`] : []));
      return masks.length > 0 ? [`${name} takes ${masks.join(" and ")}`] : [];
    }),
  );

/** Returns the fields of OpenAI's API that no method can honour, and what to do instead. */
const refusedFields = (): Readonly<Record<string, string>> => ({
  mask: `no method edits only what such a mask leaves free; ${masksOfMethods()}`,
  input_fidelity: "leave it out; baret[keep], from 0 to 1, says how much of the photo to keep",
  complexity: "no method has it",
  markup: "no method takes marked pictures",
  svg: "pictures are png, webp or jpeg",
  frame_count: "no method makes moving pictures",
  frame_duration_ms: "no method makes moving pictures",
  image_url: "send the picture itself; this server fetches nothing",
});

/** A request as OpenAI's clients send it, read but for baret's own fields. */
export interface EditForm extends z.output<typeof formSchema> {
  readonly images: readonly Uint8Array[];
  /** Fields of baret[NAME], by name. Several values of one name come from baret[NAME][]. */
  readonly own: ReadonlyMap<string, readonly (string | Uint8Array)[]>;
}

/** Reads the fields of a form. Throws one RequestError that lists all that are wrong. */
export function readFields(form: readonly FormField[]): EditForm {
  const problems: FieldProblem[] = [];
  const wrong = (name: string, message: string): void => {
    const field = cut(name);
    problems.push({ field, message: `${field}: ${message}` });
  };
  const refused = refusedFields();
  const texts: Record<string, string> = {};
  const images: Uint8Array[] = [];
  const own = new Map<string, (string | Uint8Array)[]>();
  for (const one of form) {
    const { name } = one;
    const value = "bytes" in one ? one.bytes : one.text;
    const [, option, isList] = /^baret\[([A-Za-z][\w-]*)\](\[\d*\])?$/.exec(name) ?? [];
    const base = name.replace(/\[.*$/s, "");
    if (option !== undefined) {
      const values = own.get(option) ?? [];
      if (values.length > 0 && !isList) wrong(name, "given twice");
      own.set(option, [...values, value]);
    } else if (Object.hasOwn(refused, base)) wrong(base, refused[base]);
    else if (base === "image") {
      if (value instanceof Uint8Array) images.push(value);
      else wrong("image", "expected a file; this server fetches no URL");
    } else if (value instanceof Uint8Array) wrong(name, "not a field with a file");
    else if (Object.hasOwn(texts, name)) wrong(name, "given twice");
    else if (!Object.hasOwn(formSchema.shape, name)) {
      wrong(name, "not a field of this API; options of methods are baret[NAME]");
    } else texts[name] = value;
  }
  const { data, error } = formSchema.safeParse(texts);
  for (const issue of error?.issues ?? []) {
    const [message] = problemsOf(new z.ZodError([issue]), texts, "body");
    problems.push({ field: String(issue.path[0] ?? "body"), message });
  }
  if (images.length === 0) wrong("image", "expected a photo as a file");
  if (data?.output_compression !== undefined && data.output_format === "png") {
    wrong("output_compression", "has no effect on a png, which keeps every pixel; expected with webp or jpeg");
  }
  if (data && !data.stream && data.partial_images > 0) wrong("partial_images", "expected with stream");
  if (data?.stream && data.n > 1) wrong("n", "expected 1 with stream");
  if (!data || problems.length > 0) throw new RequestError(problems);
  return { ...data, images, own };
}
