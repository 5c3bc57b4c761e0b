import { z } from "zod";
import type { TensorRef } from "../../weights/index.ts";

/** Format of the first files of BARET's inversions, before there were other methods. Version 1. */
export const inversionFormat = "baret inversion";

const old = z.looseObject({
  target: z.string(),
  settings: z.looseObject({
    inversionPrompt: z.unknown(),
    threshold: z.object({ first: z.unknown(), growth: z.unknown() }),
    steps: z.number(),
  }),
  done: z.object({ inverted: z.number(), tuned: z.number() }),
});

/** Converts the header of such a file to today's. Returns a damaged header unchanged, so that later checks report it. */
export function ofInversion(json: unknown, tensors: ReadonlyMap<string, TensorRef>): unknown {
  const { data } = old.safeParse(json);
  if (!data) return json;
  const { done, settings, ...rest } = data;
  const { inversionPrompt, threshold, ...others } = settings;
  const hasOwnPrompt = inversionPrompt !== data.target;
  return {
    ...rest,
    method: "baret",
    settings: {
      ...others,
      ...(hasOwnPrompt && { inversionPrompt }),
      threshold: [threshold.first, threshold.growth],
    },
    shapes: {
      latent: tensors.get("inverted")?.shape.slice(1),
      embedding: tensors.get("embeddings")?.shape.slice(1),
    },
    // Tuning starts after all steps are inverted. If a file claims otherwise, NaN makes the later checks refuse it.
    progress: {
      done: done.tuned > 0 && done.inverted < settings.steps ? Number.NaN : done.inverted + done.tuned,
      total: 2 * settings.steps,
    },
  };
}
