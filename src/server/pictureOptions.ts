import { optionsOf } from "../core/index.ts";
import { type Method, methodNamed, methods, schemaOf } from "../editing/index.ts";
import type { BlobId, JobRequest } from "./api/index.ts";

type Values = Readonly<Record<string, unknown>>;

/** Returns the method that a request names, or the default one. Throws UsageError if there is none of that name. */
export const requestedMethod = (name: string | undefined): Method =>
  name === undefined ? methods()[0] : methodNamed(name);

/** Returns values of options, with `change` applied to those that are ids of pictures. */
function changed(method: Method, values: Values, change: (id: BlobId) => string): Values {
  const options = (["prepare", "edit"] as const).flatMap((verb) => optionsOf(schemaOf(method, verb)));
  const names = new Set(options.flatMap(({ name, isFile }) => (isFile ? [name] : [])));
  const changedValue = (value: unknown): unknown => (typeof value === "string" ? change(value) : value);
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (!names.has(name)) return [name, value];
      return [name, Array.isArray(value) ? value.map(changedValue) : changedValue(value)];
    }),
  );
}

/** Returns a request with `change` applied to the ids of pictures in its options. Throws UsageError if it names no method. */
export function withPictures<R extends JobRequest>(request: R, change: (id: BlobId) => string): R {
  if (request.kind === "compare") {
    const options = Object.entries(request.options).map(([name, values]) => [
      name,
      changed(requestedMethod(name), values, change),
    ]);
    return { ...request, options: Object.fromEntries(options) };
  }
  const method = requestedMethod(request.method);
  const axes = request.kind === "sweep" ? { axes: changed(method, request.axes, change) } : {};
  return { ...request, ...axes, options: changed(method, request.options, change) };
}

/** Returns the ids of all pictures that a request needs: its photo and those in options. Throws UsageError as `withPictures`. */
export function picturesOf(request: JobRequest): BlobId[] {
  const ids = new Set([request.photo]);
  withPictures(request, (id) => {
    ids.add(id);
    return id;
  });
  return [...ids];
}
