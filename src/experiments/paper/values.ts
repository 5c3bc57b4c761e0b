import type { EditValues, ReportValues } from "../report/report.ts";
import type { Job } from "../run/job.ts";
import type { View } from "../run/view.ts";

/** Significant digits of a value in a report: far more than tables show, and half of the bytes of all. */
const digits = 6;

const rounded = (value: number | undefined): number | null =>
  value === undefined ? null : Number(value.toPrecision(digits));

/** Returns the values of every edit that was made, in the order of the jobs, then those of the photos and the true results. */
export function reportValues(jobs: readonly Job[], view: View): ReportValues {
  const edits = jobs.flatMap((job) => {
    if (job.type !== "edit") return [];
    const { edit, value } = view.outcome(job.case, job.variant);
    return edit ? [{ case: job.case, edit: job.variant.name, value: (metric: string) => value(metric) }] : [];
  });
  const references = (["photo", "truth"] as const).flatMap((picture) =>
    view.cases.map((one) => ({
      case: one,
      edit: picture === "photo" ? "the photo, not edited" : "the true result",
      value: (metric: string) => view.reference(one, picture, metric),
    })),
  );
  const all = [...edits, ...references];
  const names = view.metrics.map(({ name }) => name);
  const metrics = names.filter((name) => all.some(({ value }) => value(name) !== undefined));
  const rows = all.map(({ case: { name, kind }, edit, value }): EditValues => {
    return { case: name, kind, edit, values: metrics.map((metric) => rounded(value(metric))) };
  });
  return { metrics, rows: rows.filter(({ values }) => values.some((value) => value !== null)) };
}
