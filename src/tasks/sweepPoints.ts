import { UsageError } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { editSettings, type Method, requirePoints } from "../editing/index.ts";
import type { SettingValues } from "./record.ts";

/** Points of a sweep, and the number of columns of its sheet. */
export interface Points {
  readonly points: readonly SettingValues[];
  readonly columns: number;
}

/**
 * Returns all combinations of the values of the axes, or the method's own points if there are no axes. Throws UsageError if
 * there are too many, or none.
 */
export function sweepPointsOf(
  method: Method,
  model: Model,
  axes: Readonly<Record<string, readonly unknown[]>>,
): Points {
  const entries = Object.entries(axes);
  if (entries.length === 0) {
    const own = method.sweepPoints?.(editSettings(method, model, {}));
    if (own) return own;
    throw new UsageError("a sweep needs an option with several values", {
      expected: "several values of an option of the edit, such as 3, 5 and 7 for guidance",
    });
  }
  requirePoints(entries.reduce((count, [, values]) => count * values.length, 1));
  const points = entries.reduce<SettingValues[]>(
    (made, [name, values]) => made.flatMap((point) => values.map((value) => ({ ...point, [name]: value }))),
    [{}],
  );
  return { points, columns: entries[entries.length - 1][1].length };
}
