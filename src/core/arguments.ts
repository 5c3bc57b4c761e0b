import { z } from "zod";
import { listed, shown, UsageError } from "./errors.ts";
import type { Mask, Picture } from "./picture.ts";
import { between, problemsOf } from "./schema.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/** Checks the arguments of a call, by their names. Throws one UsageError that lists every problem. */
export function checkArguments(call: string, schema: z.ZodObject, given: Readonly<Record<string, unknown>>): void {
  const { error } = schema.safeParse(given);
  if (error) throw new UsageError(`arguments of ${call}\n${listed(problemsOf(error, given))}`);
}

/** Returns the schema of a value that passes `test`. what: the expected value in words, for the message. */
export const isA = <T>(what: string, test: (value: unknown) => boolean): z.ZodType<T, T> =>
  z.custom<T>(test, `expected ${what}`);

export const aFunction = isA<(...given: never) => unknown>("a function", (value) => typeof value === "function");

export const someText = z.string().min(1, "expected some text");

const aSignal = isA<AbortSignal>(
  "an AbortSignal",
  (value) => typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value,
);

/** Schemas of the fields of Work. */
export const workFields = { onProgress: aFunction.optional(), signal: aSignal.optional() };

/** Schema of a picture size in pixels. The model decides which numbers fit. */
export const aSize = z.looseObject({ height: z.number(), width: z.number() });

export const aPicture = isA<Picture>("a picture: whole sides above 0 and three bytes per pixel", (value) => {
  const { width, height, data } = (value ?? {}) as Partial<Record<keyof Picture, unknown>>;
  const sides = [width, height].every((side) => Number.isSafeInteger(side) && (side as number) > 0);
  return sides && data instanceof Uint8Array && data.length === 3 * (width as number) * (height as number);
});

export const aMask = isA<Mask>("a mask: whole sides above 0 and one byte per pixel", (value) => {
  const { width, height, data } = (value ?? {}) as Partial<Record<keyof Mask, unknown>>;
  const sides = [width, height].every((side) => Number.isSafeInteger(side) && (side as number) > 0);
  return sides && data instanceof Uint8Array && data.length === (width as number) * (height as number);
});

function isTensor(value: unknown): value is Tensor {
  const { shape, data } = (value ?? {}) as Partial<Record<keyof Tensor, unknown>>;
  const isShape = Array.isArray(shape) && shape.every((side) => Number.isSafeInteger(side) && side >= 0);
  return isShape && data instanceof Float32Array && data.length === sizeOf(shape);
}

export const aTensor = isA<Tensor>("a tensor: a shape and a Float32Array that fills it", isTensor);

export const aTensorOf = (shape: readonly number[]): z.ZodType<Tensor, Tensor> =>
  isA<Tensor>(`a tensor of shape ${shown(shape)}`, (value) => isTensor(value) && `${value.shape}` === `${shape}`);

/** Schema of a scalar of a graph: a number that is finite as float32 too. */
export const aScalar = between(-3.4e38, 3.4e38);

/** Throws UsageError if `count` is more than `most`. what: the plural noun that the message uses. */
export function requireAtMost(most: number, count: number, what: string): void {
  if (count > most) throw new UsageError(`too many ${what}`, { found: `${count}`, expected: `at most ${most}` });
}
