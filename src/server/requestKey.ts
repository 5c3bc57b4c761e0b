import type { JobRequest, ModelDescription } from "./api/index.ts";

/** Facts that a result depends on besides the request. */
export interface KeyFacts {
  readonly model: Pick<ModelDescription, "sha256" | "size">;
  /** Version of this program. */
  readonly version: string;
  readonly device: string;
  /** Precision of the engine, if it is not float32. */
  readonly precision?: string;
  /** Numbers of its linear layers, if they are not float32. */
  readonly linear?: string;
}

/**
 * Returns everything that the result of a request depends on, as text: equal requests give equal text, in whatever order their
 * fields come. The photo stands for its bytes, since its id is their hash.
 */
export function keyText(request: JobRequest, { model, version, device, precision, linear }: KeyFacts): string {
  const { priority: _priority, model: _name, ...rest } = request;
  const size = request.size ?? `${model.size.width}x${model.size.height}`;
  return JSON.stringify(inOrder({ ...rest, size, model: model.sha256, version, device, precision, linear }));
}

/** Sorts the fields of objects at every level. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, entry]) => [name, inOrder(entry)]),
  );
}
