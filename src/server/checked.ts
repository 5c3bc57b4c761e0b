import { z } from "zod";
import { problemsOf } from "../core/index.ts";
import { type FieldProblem, RequestError } from "./errors.ts";

/** More wrong fields than that are not listed. */
const MAX_PROBLEMS = 20;

/** Checks a value. Throws RequestError that lists every wrong field. */
export function checked<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const { data, error } = schema.safeParse(value);
  if (!error) return data as z.output<T>;
  const problems = error.issues.slice(0, MAX_PROBLEMS).flatMap((issue): FieldProblem[] => {
    const [message] = problemsOf(new z.ZodError([issue]), value, "the body");
    const keys = issue.code === "unrecognized_keys" ? issue.keys.slice(0, MAX_PROBLEMS) : [undefined];
    const path = issue.path.map(String);
    return keys.map((key) => ({ field: [...path, ...(key === undefined ? [] : [key])].join(".") || "body", message }));
  });
  throw new RequestError(problems);
}
