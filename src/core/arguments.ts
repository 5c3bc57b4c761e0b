import { z } from "zod";
import { listed, shown, UsageError } from "./errors.ts";
import type { Picture } from "./picture.ts";
import { between, problemsOf } from "./schema.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

/**
 * Throws one UsageError that lists everything about a call's arguments that is not what it should be. schema: all of
 * them, by name.
 */
export function checkArguments(call: string, schema: z.ZodObject, given: Readonly<Record<string, unknown>>): void {
  const { error } = schema.safeParse(given);
  if (error) throw new UsageError(`arguments of ${call}\n${listed(problemsOf(error, given))}`);
}

/** A value that passes a test. what: in words, for the message. */
export const isA = <T>(what: string, test: (value: unknown) => boolean): z.ZodType<T> =>
  z.custom<T>(test, `expected ${what}`);

export const aFunction = isA<(...given: never) => unknown>("a function", (value) => typeof value === "function");

export const someText = z.string().min(1, "expected some text");

const aSignal = isA<AbortSignal>(
  "an AbortSignal",
  (value) => typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value,
);

/** Fields of Work. */
export const workFields = { onProgress: aFunction.optional(), signal: aSignal.optional() };

/** Of a picture, in pixels. Which numbers fit is for the model to say. */
export const aSize = z.looseObject({ height: z.number(), width: z.number() });

export const aPicture = isA<Picture>("a picture: whole sides above 0, and three bytes a pixel", (value) => {
  const { width, height, data } = (value ?? {}) as Partial<Record<keyof Picture, unknown>>;
  const sides = [width, height].every((side) => Number.isSafeInteger(side) && (side as number) > 0);
  return sides && data instanceof Uint8Array && data.length === 3 * (width as number) * (height as number);
});

function isTensor(value: unknown): value is Tensor {
  const { shape, data } = (value ?? {}) as Partial<Record<keyof Tensor, unknown>>;
  const isShape = Array.isArray(shape) && shape.every((side) => Number.isSafeInteger(side) && side >= 0);
  return isShape && data instanceof Float32Array && data.length === sizeOf(shape);
}

export const aTensor = isA<Tensor>("a tensor: a shape, and a Float32Array that fills it", isTensor);

export const aTensorOf = (shape: readonly number[]): z.ZodType<Tensor> =>
  isA(`a tensor of shape ${shown(shape)}`, (value) => isTensor(value) && `${value.shape}` === `${shape}`);

/** What a scalar of a graph may be: a finite number also as float32. */
export const aScalar = between(-3.4e38, 3.4e38);

/** Throws UsageError if there are more of something than `most`: known before any of it is made. */
export function requireAtMost(most: number, count: number, what: string): void {
  if (count > most) throw new UsageError(`too many ${what}`, { found: `${count}`, expected: `at most ${most}` });
}
