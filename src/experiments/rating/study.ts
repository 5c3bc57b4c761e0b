import { z } from "zod";
import { oneOf } from "../../core/index.ts";

const name = z.string({ error: "expected a name" }).min(1).max(200);

/** Tells if a path stays in the folder that it starts from. */
const staysInside = (path: string): boolean =>
  !/^([/\\]|[a-z]:)/i.test(path) && !path.includes("\0") && !path.split(/[/\\]/).includes("..");

const path = z
  .string({ error: "expected a path" })
  .min(1)
  .max(4096)
  .refine(staysInside, { error: "expected a path inside the folder of rating.json" });

/** Returns the schema of names that must differ. */
const differing = <T>(schema: z.ZodType<T, T>, field: keyof T & string) =>
  z.array(schema).superRefine((items, context) => {
    const seen = new Set<unknown>();
    for (const [k, item] of items.entries()) {
      if (seen.has(item[field])) {
        context.addIssue({ code: "custom", path: [k, field], message: "expected a name that no other entry has" });
      }
      seen.add(item[field]);
    }
  });

const editSchema = z.strictObject({ method: name, file: path });

const caseSchema = z.strictObject({
  case: name,
  kind: name,
  target: z.string({ error: "expected a target prompt" }).min(1).max(2000),
  photo: path,
  edits: differing(editSchema, "method").min(1, { error: "expected at least one edit" }).max(50),
});

const metricSchema = z.strictObject({
  name,
  better: oneOf(["higher", "lower"]),
  // JSON has no infinity: a value of null is left out.
  values: z.record(z.string(), z.record(z.string(), z.number().nullable())),
});

/** Schema of rating.json: what people rate. Paths start from the file's folder. */
export const studySchema = z.strictObject({
  title: z.string().max(200).optional(),
  cases: differing(caseSchema, "case").min(1, { error: "expected at least one case" }).max(10_000),
  metrics: differing(metricSchema, "name").optional(),
});

/** Photos to rate, each with edits by several methods. */
export type Study = z.infer<typeof studySchema>;
export type StudyCase = Study["cases"][number];
export type StudyEdit = StudyCase["edits"][number];
/** Values of a metric: case → method → value. */
export type StudyMetric = z.infer<typeof metricSchema>;

/** Returns the names of all methods, in the order in which they first appear. */
export const methodsOf = ({ cases }: Study): string[] => [
  ...new Set(cases.flatMap(({ edits }) => edits.map(({ method }) => method))),
];
