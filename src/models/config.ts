import { z } from "zod";
import { between, CheckpointError, listed, problemsOf } from "../core/index.ts";

/** Fields that any diffusers config may have and that do not change what a model computes. */
export const diffusersFields = {
  _class_name: z.string().optional(),
  _diffusers_version: z.string().optional(),
  _name_or_path: z.string().nullish(),
  _commit_hash: z.string().nullish(),
};

/** Schema of a field whose only supported value, and default, is `value`. */
export const only = <T extends string | number | boolean>(value: T) => z.literal(value).default(value as never);
/** Schema of a field that must be null or absent. */
export const absent = () => z.null().optional();

/** Schema of a size: channels, tokens, pixels. */
export const positive = () =>
  z
    .int()
    .positive()
    .max(1 << 20);

/** Schema of a number of repetitions. Bounded, because a graph of a billion layers could never be built. */
export const repeats = (most = 16) => z.int().positive().max(most);

/** Most levels of resolution of a U-Net or a VAE. */
export const MAX_LEVELS = 8;

/** Schema of the number that a normalisation adds to the variance: not zero as float32, and not larger than the variance. */
export const epsilon = () => between(1e-12, 0.1);

/**
 * Reads a model's config.json. An unknown field is an error, because it may change what the model computes. Throws
 * CheckpointError that lists every problem.
 *
 * component: the file in error messages: "unet/config.json".
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

/** Throws one CheckpointError that lists contradictions between the fields of a config. False entries are not problems. */
export function refuseMisfits(component: string, problems: readonly (string | false)[]): void {
  const found = problems.filter((problem) => problem !== false);
  if (found.length > 0) {
    throw new CheckpointError(`the fields do not fit each other: ${found.join("; ")}`, { where: component });
  }
}

/** A problem if a list does not have one entry per level, else false. */
export const misfit = (field: string, value: unknown, levels: number): string | false =>
  Array.isArray(value) &&
  value.length !== levels &&
  `${field} has ${value.length} entries, block_out_channels ${levels}`;

/** A problem if channels are not divisible by the number of normalisation groups, else false. */
export const groupMisfit = (channels: readonly number[], groups: number): string | false =>
  channels.some((n) => n % groups !== 0) &&
  `block_out_channels ${channels} are not divisible by norm_num_groups ${groups}`;
