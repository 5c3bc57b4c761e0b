import { shown, sizeOf, type Tensor, tensor } from "../../core/index.ts";
import type { Method, TensorLayout } from "../method.ts";
import { methodProblems } from "./header.ts";
import type { Prepared } from "./prepared.ts";

type Layouts = Readonly<Record<string, TensorLayout>>;

/** Creates the tensors of a layout, as they are before the first step. */
export const emptyTensors = (layouts: Layouts): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(layouts).map(([name, { shape, unset }]) => {
      const made = tensor(shape);
      if (unset) made.data.fill(Number.NaN);
      return [name, made];
    }),
  );

/** Returns the number of bytes of the tensors of a layout. */
export const bytesOf = (layouts: Layouts): number =>
  Object.values(layouts).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);

/** Lists names and shapes that differ from a layout, one problem a line. */
export function layoutProblems(
  found: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  layouts: Layouts,
): string[] {
  return [
    ...Object.keys(layouts)
      .filter((name) => !Object.hasOwn(found, name))
      .map((name) => `"${name}": missing`),
    ...Object.keys(found)
      .filter((name) => !Object.hasOwn(layouts, name))
      .map((name) => `${shown(name)}: unexpected`),
    ...Object.entries(layouts)
      .filter(([name, { shape }]) => Object.hasOwn(found, name) && `${found[name].shape}` !== `${shape}`)
      .map(([name, { shape }]) => `"${name}": found shape ${shown(found[name].shape)}, expected ${shown(shape)}`),
  ];
}

/** Far above every value of a latent or an embedding, far below values that overflow in a network. */
const MAX_VALUE = 1e6;

/** Lists values that no method leaves in its tensors, one problem a line. The shapes must be those of the layout. */
export function valueProblems(method: Method, prepared: Prepared): string[] {
  const layouts = method.tensors(prepared.settings, prepared.shapes);
  const problems = Object.entries(prepared.tensors).flatMap(([name, { data }]) => {
    const isAllowed = (x: number): boolean =>
      Math.abs(x) <= MAX_VALUE || (layouts[name].unset === true && Number.isNaN(x));
    const at = data.findIndex((x) => !isAllowed(x));
    return at < 0 ? [] : [`"${name}": found ${data[at]} at ${at}, expected numbers up to ${MAX_VALUE}`];
  });
  return problems.length > 0 ? problems : (method.problems?.(prepared) ?? []);
}

/** Lists all problems of a prepared value that can be found without a model, one a line. */
export function problemsOfPrepared(method: Method, prepared: Prepared): string[] {
  const problems = methodProblems(method, prepared);
  if (problems.length > 0) return problems;
  const unfilled = Object.entries(prepared.tensors).filter(
    ([, one]) => !(one?.data instanceof Float32Array) || one.data.length !== sizeOf(one.shape),
  );
  if (unfilled.length > 0) return unfilled.map(([name]) => `"${name}": found numbers that do not fill a shape`);
  const misfits = layoutProblems(prepared.tensors, method.tensors(prepared.settings, prepared.shapes));
  return misfits.length > 0 ? misfits : valueProblems(method, prepared);
}
