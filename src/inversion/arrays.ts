import { row, shown, sizeOf, type Tensor } from "../core/index.ts";
import type { Model, Size } from "../diffusion/index.ts";
import type { Inversion } from "./inversion.ts";
import type { InversionSettings } from "./options.ts";

/** Shapes that a model gives its inversions of one picture size. */
export interface ModelShapes {
  /** [C, h, w] */
  readonly latent: readonly number[];
  /** [L, D] */
  readonly embedding: readonly number[];
}

/** Shapes that a model gives its inversions of a picture size. Throws UsageError if it cannot make the size. */
export const shapesFor = (model: Model, size: Size): ModelShapes => ({
  latent: model.latentShape(size).slice(1),
  embedding: [model.text.length, model.text.width],
});

type Arrays<T> = Readonly<
  Record<"inverted" | "embeddings" | "reconstruction" | "loss" | "gradient_rms" | "moments", T>
>;

/** The arrays of an inversion under the names they have in its file. */
export const arraysOf = ({ inverted, embeddings, reconstruction, trace, moments }: Inversion): Arrays<Tensor> => ({
  inverted,
  embeddings,
  reconstruction,
  loss: trace.loss,
  gradient_rms: trace.gradientRms,
  moments,
});

/** The shape of each array. */
export const shapesOf = (
  { steps, iterations }: Pick<InversionSettings, "steps" | "iterations">,
  { latent, embedding }: ModelShapes,
): Arrays<readonly number[]> => ({
  inverted: [steps + 1, ...latent],
  embeddings: [steps, ...embedding],
  reconstruction: [steps + 1, ...latent],
  loss: [steps, iterations + 1],
  gradient_rms: [steps, iterations],
  moments: [2, ...embedding],
});

/** Arrays whose shape is another than that, one problem a line. */
export const shapeProblems = (
  found: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  expected: Arrays<readonly number[]>,
): string[] =>
  Object.entries(expected)
    .filter(([name, shape]) => `${found[name].shape}` !== `${shape}`)
    .map(([name, shape]) => `"${name}": found shape ${shown(found[name].shape)}, expected ${shown(shape)}`);

/** Far beyond every latent and embedding, far below what overflows in a network. */
const MAX_VALUE = 1e6;

/** Arrays that hold what no inversion leaves in them, one problem a line. Shapes must be those of `shapesOf`. */
export function valueProblems(inversion: Inversion): string[] {
  const { inverted, embeddings, reconstruction, moments } = inversion;
  const problems = Object.entries({ inverted, embeddings, reconstruction, moments }).flatMap(([name, { data }]) => {
    const at = data.findIndex((x) => !(Math.abs(x) <= MAX_VALUE));
    return at < 0 ? [] : [`"${name}": found ${data[at]} at ${at}, expected numbers up to ${MAX_VALUE}`];
  });
  // |m| ≤ (1 − β₁)/√((1 − β₂)(1 − β₁²/β₂))·√v, by Cauchy and Schwarz; for Adam's constants the factor is 7.3.
  const [first, second] = [0, 1].map((k) => row(moments, k).data);
  const at = first.findIndex((m, k) => !(Math.abs(m) <= 8 * Math.sqrt(second[k]) + 1e-12));
  if (at >= 0) problems.push(`"moments": found ${first[at]} and ${second[at]} at ${at}, which Adam cannot have`);
  return [...problems, ...traceProblems(inversion)];
}

/** How many numbers a row of the trace begins with; NaN if it holds anything but NaN after them. */
function count({ data }: Tensor): number {
  const end = data.findIndex(Number.isNaN);
  const length = end < 0 ? data.length : end;
  const fits = data.every((x, k) => (k < length ? x >= 0 && x < Number.POSITIVE_INFINITY : Number.isNaN(x)));
  return fits ? length : Number.NaN;
}

/** Each finished step has one loss more than gradients. */
function traceProblems({ trace, done, settings: { steps } }: Inversion): string[] {
  for (let i = 0; i < steps; i++) {
    const [losses, gradients] = [trace.loss, trace.gradientRms].map((tensor) =>
      sizeOf(tensor.shape) === 0 ? 0 : count(row(tensor, i)),
    );
    if (i < done.tuned ? losses !== gradients + 1 : Number.isNaN(losses + gradients))
      return [`"loss" and "gradient_rms": found ${losses} and ${gradients} numbers at step ${i}`];
  }
  return [];
}
