import { listed, problemsOf, StorageError } from "../../core/index.ts";
import type { Report } from "./report.ts";
import { reportSchema } from "./schema.ts";

/** Writes what JSON would turn into null as texts. */
const written = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isFinite(value) ? String(value) : value;

/** Writes a report, or a part of one, as JSON. `parseReport` reads that of a whole one. */
export const reportJson = (value: unknown, indent?: number): string => JSON.stringify(value, written, indent);

/** Reads the text of a report.json. Throws StorageError that lists every problem. where: the file in messages. */
export function parseReport(json: string, where: string): Report {
  const advice = "Make the report again: baret experiments.";
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new StorageError("not JSON", {
      where,
      found: (cause as Error).message,
      expected: "a report.json",
      advice,
      cause,
    });
  }
  const { data, error } = reportSchema.safeParse(value);
  if (data) return data;
  throw new StorageError(`not a report of baret\n${listed(problemsOf(error, value))}`, { where, advice });
}
