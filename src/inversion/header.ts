import { z } from "zod";
import { MAX_SIDE, problemsOf, whole } from "../core/index.ts";
import type { Inversion } from "./inversion.ts";
import { settingsSchema } from "./options.ts";

const side = whole(1, MAX_SIDE);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
const word = z.string().max(200);

const schema = z.strictObject({
  target: z.string().regex(/\S/, "expected a sentence"),
  size: z.strictObject({ width: side, height: side }),
  settings: settingsSchema,
  origin: z.strictObject({
    model: sha256,
    picture: sha256,
    device: word,
    threads: whole(1, 1 << 16),
    versions: z.record(word, word),
  }),
  timesteps: z.array(whole(0, 1_000_000)),
  done: z.strictObject({ inverted: whole(0, 1000), tuned: whole(0, 1000) }),
});

/** What an inversion is of and how far it is: all of it but its arrays. */
export type Header = Pick<Inversion, keyof z.infer<typeof schema>>;

/** Keys in the schema's order, whatever order they were put together in. */
export const headerOf = (header: Header): Header => schema.parse(only(header));

const only = ({ target, size, settings, origin, timesteps, done }: Header): Header => ({
  target,
  size,
  settings,
  origin,
  timesteps,
  done,
});

/** What is wrong with a header, one problem a line. */
export function headerProblems(header: unknown): string[] {
  const { data, error } = schema.safeParse(header);
  if (error) return problemsOf(error, header, "the header");
  const { done, timesteps, settings } = data;
  const { steps } = settings;
  return [
    ...(timesteps.length === steps ? [] : [`timesteps: found ${timesteps.length}, expected ${steps}`]),
    ...Object.entries(done)
      .filter(([, count]) => count > steps)
      .map(([phase, count]) => `done.${phase}: found ${count}, expected 0..${steps}`),
    ...(done.tuned > 0 && done.inverted < steps
      ? [`done.inverted: found ${done.inverted}, expected ${steps} before the first step is tuned`]
      : []),
  ];
}

/** What is wrong with the header of an inversion in memory, one problem a line. */
export const problemsOfHeader = (inversion: Inversion): string[] => headerProblems(only(inversion));
