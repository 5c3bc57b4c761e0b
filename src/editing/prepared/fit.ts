import { listed, StorageError, shown } from "../../core/index.ts";
import type { Model, Size } from "../../diffusion/index.ts";
import { positionShape, positionWeight } from "../../models/index.ts";
import type { Method, SetNetwork } from "../method.ts";
import { problemsOfPrepared } from "./layout.ts";
import { isComplete, type Origin, type Prepared } from "./prepared.ts";

/** Properties that a prepared value must have. Absent ones are not checked. */
export interface ExpectedOrigin extends Partial<Pick<Origin, "model" | "picture">> {
  readonly target?: string;
}

/**
 * Throws StorageError if a prepared value is not finished, belongs to another method, or to another model, photo or prompt
 * than expected, or does not fit `model`. If the method serves every target, another prompt is allowed. where: its file.
 */
export function requirePreparedOf(
  method: Method,
  model: Model,
  prepared: Prepared,
  expected: ExpectedOrigin,
  where?: string,
): void {
  if (prepared.method !== method.name) {
    throw new StorageError("prepared by another method", {
      where,
      found: shown(prepared.method),
      expected: shown(method.name),
      advice: `Edit with the method ${shown(prepared.method)}, or prepare the photo with ${method.name}.`,
    });
  }
  if (!isComplete(prepared)) {
    const { done, total } = prepared.progress;
    throw new StorageError("not finished", {
      where: where ?? "the prepared photo",
      found: `${done} of ${total} steps`,
      advice: "Prepare the same photo with the same prompt and file to resume it.",
    });
  }
  const found = { model: prepared.origin.model, picture: prepared.origin.picture, target: prepared.target };
  const words = { model: "model", picture: "photo", target: "prompt" };
  for (const key of ["model", "picture", "target"] as const) {
    const wanted = expected[key];
    if (wanted === undefined || wanted === found[key] || (key === "target" && method.servesEveryTarget)) continue;
    throw new StorageError(`prepared from another ${words[key]}`, {
      where,
      found: key === "target" ? shown(found[key]) : found[key].slice(0, 16),
      expected: key === "target" ? shown(wanted) : wanted.slice(0, 16),
      advice: "Prepare each photo with each prompt and model separately.",
    });
  }
  requireFit(method, model, prepared, where);
}

/**
 * Throws StorageError that lists why a prepared value, finished or not, does not fit `model`: picture size, shapes,
 * timesteps, settings, values, weights. where: its file.
 */
export function requireFit(method: Method, model: Model, prepared: Prepared, where?: string): void {
  const problems = problemsOfPrepared(method, prepared);
  if (problems.length === 0) problems.push(...misfits(model, prepared), ...weightProblems(method, model, prepared));
  if (problems.length > 0) {
    throw new StorageError(`this prepared photo does not fit the model ${model.name}\n${listed(problems)}`, { where });
  }
}

function misfits(model: Model, { size, timesteps, shapes }: Prepared): string[] {
  const { trainTimesteps } = model.checkpoint.scheduler;
  if (timesteps.length > trainTimesteps)
    return [`settings.steps: found ${timesteps.length}, expected 1..${trainTimesteps}`];
  if ([size.width, size.height].some((side) => side % model.factor !== 0)) {
    return [`size: found ${size.width}x${size.height}, expected multiples of ${model.factor}`];
  }
  const planned = model.schedule(timesteps.length).timesteps;
  const at = planned.findIndex((t, i) => t !== timesteps[i]);
  const own = model.latentShapes(size);
  return [
    ...(at < 0 ? [] : [`timesteps.${at}: found ${timesteps[at]}, expected ${planned[at]}`]),
    ...(["latent", "embedding"] as const)
      .filter((key) => `${shapes[key]}` !== `${own[key]}`)
      .map((key) => `shapes.${key}: found ${shown(shapes[key])}, expected ${shown(own[key])}`),
  ];
}

function shapesOf(model: Model, network: SetNetwork, size: Size): ReadonlyMap<string, readonly number[]> {
  if (network !== "unet with positions") return model.weightShapes(network);
  const [, , height, width] = model.latentShape(size);
  return new Map([...model.weightShapes("unet"), [positionWeight, positionShape(model.unet, { height, width })]]);
}

/** Lists weights that are missing, unexpected or of another shape than the model's, one problem a line. */
function weightProblems(method: Method, model: Model, { settings, progress, size, weights = {} }: Prepared): string[] {
  const expected = method.weightSets?.(settings, progress.done) ?? {};
  const strange = Object.keys(weights).filter((set) => !Object.hasOwn(expected, set));
  return [
    ...strange.map((set) => `${shown(set)}: unexpected weights`),
    ...Object.entries(expected).flatMap(([set, network]) => {
      const found = weights[set] ?? new Map();
      const own = shapesOf(model, network, size);
      const named = (name: string): string => `"${set}/${name}"`;
      return [
        ...[...own].flatMap(([name, shape]) => {
          const ref = found.get(name);
          if (!ref) return [`${named(name)}: missing`];
          if (ref.dtype !== "F32") return [`${named(name)}: found dtype ${ref.dtype}, expected F32`];
          if (`${ref.shape}` !== `${shape}`)
            return [`${named(name)}: found shape ${shown(ref.shape)}, expected ${shown(shape)}`];
          return [];
        }),
        ...[...found.keys()].filter((name) => !own.has(name)).map((name) => `${named(name)}: unexpected`),
      ];
    }),
  ];
}
