import { z } from "zod";
import { cut, problemsOf, shown } from "../../../core/index.ts";
import { type FieldProblem, RequestError } from "../../errors.ts";
import { isIdle, isIdleOverride, samplers } from "./idle.ts";

/** Most edits of one request. */
const MAX_EDITS = 16;

const count = z.int().min(1).max(MAX_EDITS);
const values = z.record(z.string(), z.unknown());

/** Settings of one request, of which AUTOMATIC1111 has hundreds. Those of baret choose the method and its options. */
const overridesSchema = z.strictObject({
  sd_model_checkpoint: z.string().max(300).optional(),
  baret_method: z.string().max(200).optional(),
  baret_options: values.default({}),
  baret_source: z.string().optional(),
  baret_preset: z.string().max(200).optional(),
});

/** Fields that have an effect. */
export const img2imgSchema = z.strictObject({
  init_images: z.array(z.string()).min(1, "expected a photo").max(MAX_EDITS),
  prompt: z.string().min(1, "expected what the edited photo shall show"),
  denoising_strength: z.number().min(0).max(1).default(0.75),
  steps: z.int().optional(),
  cfg_scale: z.number().optional(),
  seed: z.int().min(-1).default(-1),
  width: z.int().min(8).max(99_999).optional(),
  height: z.int().min(8).max(99_999).optional(),
  resize_mode: z.int().min(0).max(2, "expected 0, 1 or 2; no method resizes latents, which is 3").default(0),
  batch_size: count.default(1),
  n_iter: count.default(1),
  sampler_name: z.string().refine(samplers, "expected DDIM, with which every method samples").optional(),
  send_images: z.boolean().default(true),
  override_settings: values.default({}),
});

/** A body of img2img. */
export interface Img2Img extends z.output<typeof img2imgSchema> {
  readonly overrides: z.output<typeof overridesSchema>;
}

/** A body of img2img without its photos. */
export type Img2ImgSettings = Omit<Img2Img, "init_images">;

/** Lists the problems of fields. prefix: of the names of nested fields. */
function problemsIn(error: z.ZodError | undefined, value: unknown, prefix = ""): FieldProblem[] {
  return (error?.issues ?? []).flatMap((issue): FieldProblem[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const field = `${prefix}${cut(key)}`;
        return { field, message: `${field}: not understood` };
      });
    }
    const [message] = problemsOf(new z.ZodError([issue]), value, "body");
    return [{ field: `${prefix}${issue.path.join(".")}`, message: `${prefix}${message}` }];
  });
}

/** Leaves out fields that ask for nothing. Adds a problem for each field that asks for what no method does. */
function withoutIdle(
  given: Readonly<Record<string, unknown>>,
  test: typeof isIdle,
  problems: FieldProblem[],
  prefix = "",
): Record<string, unknown> {
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const verdict = test(name, value);
    const field = cut(`${prefix}${name}`);
    if (verdict === undefined) rest[name] = value;
    else if (!verdict) problems.push({ field, message: `${field}: found ${shown(value)}, which no method does` });
  }
  return rest;
}

/** Reads the body of img2img. Throws one RequestError that lists every field that is wrong or cannot be honoured. */
export function readImg2Img(body: unknown): Img2Img {
  const fields = values.safeParse(body);
  if (!fields.data) throw new RequestError([{ field: "body", message: "body: expected an object" }]);
  const problems: FieldProblem[] = [];
  const given = withoutIdle(fields.data, isIdle, problems);
  const { data, error } = img2imgSchema.safeParse(given);
  problems.push(...problemsIn(error, given));
  const prefix = "override_settings.";
  const settings = withoutIdle(data?.override_settings ?? {}, isIdleOverride, problems, prefix);
  const overrides = overridesSchema.safeParse(settings);
  problems.push(...problemsIn(overrides.error, settings, prefix));
  if (data && (data.width === undefined) !== (data.height === undefined)) {
    const field = data.width === undefined ? "width" : "height";
    problems.push({ field, message: `${field}: expected width and height, or neither` });
  }
  if (!data || !overrides.data || problems.length > 0) throw new RequestError(problems);
  return { ...data, overrides: overrides.data };
}

/** Fields of POST options that have an effect. */
export const optionsSchema = z.strictObject({ sd_model_checkpoint: z.string().max(300).optional() });

/** Reads the body of POST options: the model for the client's later requests. Throws RequestError. */
export function readOptions(body: unknown): { readonly sd_model_checkpoint?: string } {
  const given = values.safeParse(body).data;
  if (!given) throw new RequestError([{ field: "body", message: "body: expected an object" }]);
  const problems: FieldProblem[] = [];
  const settings = withoutIdle(given, isIdleOverride, problems);
  const { data, error } = optionsSchema.safeParse(settings);
  problems.push(...problemsIn(error, settings));
  if (!data || problems.length > 0) throw new RequestError(problems);
  return data;
}
