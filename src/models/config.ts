import { z } from "zod";
import { CheckpointError } from "../core/index.ts";

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

export const positive = () => z.int().positive();

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
  const problems = result.error.issues.map((issue) => {
    const where = issue.path.join(".");
    if (issue.code === "unrecognized_keys") {
      return `${issue.keys.map((key) => JSON.stringify(key)).join(", ")}${where ? ` in ${where}` : ""}: not understood`;
    }
    const value = issue.path.reduce<unknown>(
      (x, key) => (x as Record<PropertyKey, unknown> | undefined)?.[key],
      config,
    );
    return `${JSON.stringify(where)}: found ${JSON.stringify(value)}; ${issue.message}`;
  });
  throw new CheckpointError(`this model's configuration is not supported:\n${problems.join("\n")}`, {
    where: component,
    advice,
  });
}
