import { listed, StorageError, shown, sizeOf } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { arraysOf, shapeProblems, shapesFor, shapesOf, valueProblems } from "./arrays.ts";
import { problemsOfHeader } from "./header.ts";
import { type Inversion, isComplete, type Origin } from "./inversion.ts";

/** Facts that must hold for one use of an inversion; the absent ones do not matter. */
export interface Use extends Partial<Pick<Origin, "model" | "picture">> {
  readonly target?: string;
}

/**
 * Throws StorageError if an inversion is not finished, belongs to another model, photo or sentence, or does not fit
 * `model`. where: the inversion's file.
 */
export function requireInversionOf(model: Model, inversion: Inversion, use: Use, where?: string): void {
  if (!isComplete(inversion)) {
    const { done, settings } = inversion;
    throw new StorageError("this inversion is not finished", {
      where,
      found: `${done.inverted} steps inverted, ${done.tuned} tuned`,
      expected: `${settings.steps} of each`,
      advice: "Run `baret invert` with the same photo, sentence and file to go on with it.",
    });
  }
  const found = { model: inversion.origin.model, picture: inversion.origin.picture, target: inversion.target };
  const words = { model: "model", picture: "photo", target: "sentence" };
  for (const key of ["model", "picture", "target"] as const) {
    if (use[key] === undefined || use[key] === found[key]) continue;
    throw new StorageError(`this inversion belongs to another ${words[key]}`, {
      where,
      found: key === "target" ? shown(found[key]) : found[key].slice(0, 16),
      expected: key === "target" ? shown(use[key]) : use[key].slice(0, 16),
      advice: "Every photo, sentence and model needs an inversion of its own: run `baret invert`.",
    });
  }
  requireFit(model, inversion, where);
}

/**
 * Throws StorageError that lists everything in which an inversion, finished or not, differs from what `model` gives: picture
 * size, shapes, timesteps, settings, values. where: the inversion's file.
 */
export function requireFit(model: Model, inversion: Inversion, where?: string): void {
  const problems = problemsOfHeader(inversion);
  if (problems.length === 0) problems.push(...misfits(model, inversion));
  if (problems.length > 0) {
    throw new StorageError(`this inversion does not fit the model ${model.name}\n${listed(problems)}`, { where });
  }
}

function misfits(model: Model, inversion: Inversion): string[] {
  const { size, settings, timesteps } = inversion;
  const { trainTimesteps } = model.checkpoint.scheduler;
  if (settings.steps > trainTimesteps)
    return [`settings.steps: found ${settings.steps}, expected 1..${trainTimesteps}`];
  if ([size.width, size.height].some((side) => side % model.factor !== 0)) {
    return [`size: found ${size.width}x${size.height}, expected multiples of ${model.factor}`];
  }
  const planned = model.schedule(settings.steps).timesteps;
  const at = planned.findIndex((t, i) => t !== timesteps[i]);
  const problems = at < 0 ? [] : [`timesteps.${at}: found ${timesteps[at]}, expected ${planned[at]}`];
  const arrays = Object.entries(arraysOf(inversion));
  const unfilled = arrays.filter(
    ([, array]) => !(array?.data instanceof Float32Array) || array.data.length !== sizeOf(array.shape),
  );
  problems.push(...unfilled.map(([name]) => `"${name}": found numbers that do not fill a shape`));
  if (unfilled.length === 0) {
    problems.push(...shapeProblems(arraysOf(inversion), shapesOf(settings, shapesFor(model, size))));
  }
  return problems.length > 0 ? problems : valueProblems(inversion);
}
