import { GraphError, shapeText, sizeOf } from "../core/index.ts";
import { batchSizeOf, type Program } from "../graph/index.ts";
import type { Feeds } from "./engine.ts";

const kindOf = (value: Feeds[string]): string =>
  "data" in value && !(value.data instanceof Float32Array) ? "int64" : "float32";

function problemsOf({ name, shape, dtype }: Program["inputs"][number], value: Feeds[string]): string[] {
  const fits =
    value.shape.length === shape.length &&
    shape.every((d, i) =>
      typeof d === "number" ? d === value.shape[i] : batchSizeOf(d, value.shape[i]) !== undefined,
    );
  return [
    ...(kindOf(value) === dtype ? [] : [`"${name}" holds ${kindOf(value)}, expected ${dtype}`]),
    ...(fits ? [] : [`"${name}" has shape ${shapeText(value.shape)}, expected ${shapeText(shape)}`]),
    ...("data" in value && value.data.length !== sizeOf(value.shape)
      ? [`"${name}" holds ${value.data.length} numbers for ${shapeText(value.shape)}`]
      : []),
  ];
}

/** Returns a message if the inputs do not agree on the batch size. */
function batchProblems(inputs: Program["inputs"], feeds: Feeds): string[] {
  const claims = inputs.flatMap(({ name, shape }) =>
    shape.flatMap((d, i) => {
      const batch = feeds[name] && batchSizeOf(d, feeds[name].shape[i]);
      return batch === undefined ? [] : [{ name, batch }];
    }),
  );
  if (new Set(claims.map(({ batch }) => batch)).size < 2) return [];
  return [`the batch size B is ${claims.map(({ name, batch }) => `${batch} in "${name}"`).join(", ")}`];
}

/** Returns the batch size of a run with these feeds; 1 if the program has no batch. */
export function batchOfFeeds(inputs: Program["inputs"], feeds: Feeds): number {
  const batched = inputs.find(({ shape }) => shape.some((d) => typeof d === "string"));
  const axis = batched?.shape.findIndex((d) => typeof d === "string") ?? 0;
  return batched ? (batchSizeOf(batched.shape[axis], feeds[batched.name]?.shape[axis]) ?? 1) : 1;
}

/** Checks feeds against the inputs of a program. Throws one GraphError that lists every problem. */
export function checkFeeds({ name, inputs }: Pick<Program, "name" | "inputs">, feeds: Feeds): void {
  const known = new Set(inputs.map((input) => input.name));
  const problems = [
    ...inputs.flatMap((input) =>
      feeds[input.name] ? problemsOf(input, feeds[input.name]) : [`"${input.name}" is missing`],
    ),
    ...Object.keys(feeds)
      .filter((key) => !known.has(key))
      .map((key) => `"${key}" is not an input`),
  ];
  if (problems.length === 0) problems.push(...batchProblems(inputs, feeds));
  if (problems.length > 0) throw new GraphError("wrong inputs", { where: name, found: problems.join("; ") });
}
