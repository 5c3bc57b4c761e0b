import { z } from "zod";
import type { Block, Figure, Report, ReportValues, Row, Section, Shown } from "./report.ts";

/** JSON has no infinity, which is the PSNR of equal pictures, and no NaN. Texts stand for them. */
const number = z.union([z.number(), z.enum(["Infinity", "-Infinity", "NaN"]).transform(Number)], {
  error: "expected a number",
});
const text = z.string();
const count = z.int().min(0);
const tags = { kind: text.optional(), method: text.optional() };
const interval = { low: number.optional(), high: number.optional() };

const figure: z.ZodType<Figure> = z.object({
  value: number.optional(),
  ...interval,
  n: count,
  digits: z.int().min(0).max(20),
  unit: text.optional(),
});
const row: z.ZodType<Row> = z.object({
  ...tags,
  cells: z.array(z.union([text, figure], { error: "expected a text or a figure" })),
});
const axis = z.object({ label: text, isLogarithmic: z.boolean().optional(), ticks: z.array(text).optional() });
const point = z.object({
  x: number,
  y: number,
  ...interval,
  n: count.optional(),
  label: text.optional(),
  isMarked: z.boolean().optional(),
});
const shown: z.ZodType<Shown> = z.object({
  method: tags.method,
  file: text.optional(),
  label: text,
  note: text.optional(),
  role: z.enum(["photo", "edit", "truth", "other"]),
});
const block: z.ZodType<Block> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("table"), caption: text, columns: z.array(text), rows: z.array(row) }),
  z.object({
    type: z.literal("chart"),
    caption: text,
    mark: z.enum(["line", "scatter", "bar"]),
    x: axis,
    y: axis,
    series: z.array(z.object({ method: tags.method, name: text, points: z.array(point) })),
  }),
  z.object({
    type: z.literal("gallery"),
    caption: text,
    rows: z.array(z.object({ kind: tags.kind, case: text, title: text, pictures: z.array(shown) })),
  }),
  z.object({ type: z.literal("text"), text }),
]);
const section: z.ZodType<Section> = z.object({
  name: text,
  title: text,
  paper: text,
  measured: text,
  agreement: z.enum(["agrees", "partly agrees", "differs", "cannot be told", "no claim tested"]),
  command: text,
  blocks: z.array(block),
});

const values: z.ZodType<ReportValues> = z.object({
  metrics: z.array(text),
  rows: z.array(z.object({ case: text, kind: text, edit: text, values: z.array(z.number().nullable()) })),
});

/** Form of a report.json. */
export const reportSchema: z.ZodType<Report> = z.object({
  title: text,
  facts: z.record(text, text),
  times: z.record(text, text),
  sections: z.array(section),
  values: values.optional(),
});
