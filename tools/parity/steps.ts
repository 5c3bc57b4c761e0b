/** Compares each step of an edit with a reference: shared by methods.ts and the tests. */
import { row, type Tensor } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { type Method, type Prepared, resolvedSettings } from "../../src/editing/index.ts";
import { jobOf, runSamplings } from "../../src/editing/samplings.ts";

/** Returns the latent [1, C, h, w] of one branch of `count` in a reference's row [count, 1, C, h, w] or [count, C, h, w]. */
export function branchOf({ shape, data }: Tensor, branch: number, count: number): Tensor {
  const size = data.length / count;
  return { shape: [1, ...shape.slice(-3)], data: data.subarray(branch * size, (branch + 1) * size) };
}

/**
 * Makes an edit in which each step starts from the reference's latents, and returns the difference `between` the two latents
 * after every step, by picture. latents: the reference's, [n + 1, pictures, C, h, w], of the last n steps. pictures: the
 * names of its branches.
 */
export async function stepDifferences<R extends string>(
  method: Method,
  model: Model,
  prepared: Prepared,
  options: object,
  latents: Tensor,
  pictures: readonly R[],
  between: (found: Tensor, expected: Tensor) => number,
): Promise<Record<R, number[]>> {
  const settings = resolvedSettings(method, model, prepared, options);
  const sampling = method.edit(await jobOf(method, model, prepared), settings, "");
  const processes = pictures.map((name) => sampling.pictures[name]);
  const before = prepared.timesteps.length - (latents.shape[0] - 1);
  const differences = Object.fromEntries(pictures.map((name) => [name, [] as number[]])) as Record<R, number[]>;
  const hooks = {
    ...sampling.hooks,
    latents: [...new Set(processes)],
    afterStep: async (...[i, state]: Parameters<NonNullable<NonNullable<typeof sampling.hooks>["afterStep"]>>) => {
      const changed = await sampling.hooks?.afterStep?.(i, state);
      const after = row(latents, i + 1 - before);
      return new Map(
        pictures.map((name, k) => {
          const expected = branchOf(after, k, pictures.length);
          differences[name].push(
            between((changed ?? state.latents).get(processes[k]) ?? state.latents.get(processes[k])!, expected),
          );
          return [processes[k], expected];
        }),
      );
    },
  };
  await runSamplings(model, prepared, [{ ...sampling, hooks, share: false }], processes, {});
  return differences;
}
