import { z } from "zod";
import { between, CheckpointError, listed, problemsOf } from "../core/index.ts";

/** Bookkeeping that every diffusers config may hold and that does not change what a model computes. */
export const diffusersFields = {
  _class_name: z.string().optional(),
  _diffusers_version: z.string().optional(),
  _name_or_path: z.string().nullish(),
  _commit_hash: z.string().nullish(),
};

/** A field whose only supported value is `value`, which is also what its absence means. */
export const only = <T extends string | number | boolean>(value: T) => z.literal(value).default(value as never);
/** A field that must be null or absent. */
export const absent = () => z.null().optional();

/** A size: channels, tokens, pixels. */
export const positive = () =>
  z
    .int()
    .positive()
    .max(1 << 20);

/** How often something is repeated. Bounded, since a graph of a billion layers would never be done. */
export const repeats = (most = 16) => z.int().positive().max(most);

/** Levels of resolution, of a U-Net or a VAE. */
export const MAX_LEVELS = 8;

/** What a normalisation adds to the variance: as float32 neither zero nor more than what it is added to. */
export const epsilon = () => between(1e-12, 0.1);

/**
 * Reads a model's config.json. A field that is not understood is an error, not ignored: it may change what the model
 * computes. Throws CheckpointError that lists every problem.
 *
 * component: how errors call it: "unet/config.json".
 */
export function readConfig<T>(
  schema: z.ZodType<T>,
  config: unknown,
  component: string,
  advice = "baret reads the configurations of Stable Diffusion 1.x and 2.x and of smaller models built alike.",
): T {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const problems = problemsOf(result.error, config);
  throw new CheckpointError(`this model's configuration is not supported\n${listed(problems)}`, {
    where: component,
    advice,
  });
}

/** Throws one CheckpointError with all `problems` between the fields of a config; false entries are none. */
export function refuseMisfits(component: string, problems: readonly (string | false)[]): void {
  const found = problems.filter((problem) => problem !== false);
  if (found.length > 0) {
    throw new CheckpointError(`the fields do not fit each other: ${found.join("; ")}`, { where: component });
  }
}

/** The problem where a list does not have one entry for each level. */
export const misfit = (field: string, value: unknown, levels: number): string | false =>
  Array.isArray(value) &&
  value.length !== levels &&
  `${field} has ${value.length} entries, block_out_channels ${levels}`;

/** The problem where channels do not divide into their normalisation's groups. */
export const groupMisfit = (channels: readonly number[], groups: number): string | false =>
  channels.some((n) => n % groups !== 0) && `block_out_channels ${channels} do not divide into ${groups} groups`;
