import { z } from "zod";
import { MAX_SIDE, optionProblems, problemsOf, whole } from "../../core/index.ts";
import type { Method } from "../method.ts";
import type { Prepared } from "./prepared.ts";

const side = whole(1, MAX_SIDE);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
const word = z.string().max(200);
const count = whole(0, 1_000_000);
const dimension = whole(1, 1 << 20);
const prompt = z.string().regex(/\S/, "expected a prompt");

const schema = z.strictObject({
  method: word,
  target: prompt,
  source: prompt.optional(),
  size: z.strictObject({ width: side, height: side }),
  settings: z.record(z.string(), z.unknown()),
  origin: z.strictObject({
    model: sha256,
    picture: sha256,
    larger: sha256.optional(),
    device: word,
    threads: whole(1, 1 << 16),
    versions: z.record(word, word),
  }),
  timesteps: z.array(count).max(1000),
  shapes: z.strictObject({
    latent: z.tuple([dimension, dimension, dimension]),
    embedding: z.tuple([dimension, dimension]),
  }),
  progress: z.strictObject({ done: count, total: count }),
});

/** A prepared value without its tensors. */
export type Header = Omit<Prepared, "tensors">;

/** Returns a header with its keys in the schema's order, so that equal values give equal bytes. */
export const headerOf = (prepared: Header): Header => schema.parse(withoutTensors(prepared)) as Header;

/** Returns only the fields of a header: a value in memory may have more. */
const withoutTensors = (prepared: Header): Header =>
  Object.fromEntries(
    Object.keys(schema.shape)
      .filter((key) => key in prepared)
      .map((key) => [key, prepared[key as keyof Header]]),
  ) as unknown as Header;

/** Lists problems of a header of any method, one a line. */
export function headerProblems(header: unknown): string[] {
  const { error } = schema.safeParse(header);
  return error ? problemsOf(error, header, "the header") : [];
}

/** Lists problems of the header of a prepared value of `method`, one a line. */
export function methodProblems(method: Method, header: Header): string[] {
  const problems = [
    ...headerProblems(withoutTensors(header)),
    ...optionProblems(method.prepareOptions, header.settings, (name) => `settings.${name}`),
  ];
  if (problems.length > 0) return problems;
  const { timesteps, settings, progress, shapes, size } = header;
  const steps = Number(settings.steps);
  const total = method.prepareSteps(settings);
  const [, height, width] = shapes.latent;
  return [
    ...(timesteps.length === steps ? [] : [`timesteps: found ${timesteps.length}, expected ${steps}`]),
    ...(progress.total === total ? [] : [`progress.total: found ${progress.total}, expected ${total}`]),
    ...(progress.done <= total ? [] : [`progress.done: found ${progress.done}, expected 0..${total}`]),
    ...(height <= size.height && width <= size.width
      ? []
      : [`shapes.latent: found ${height}x${width}, expected at most the picture's ${size.height}x${size.width}`]),
  ];
}
