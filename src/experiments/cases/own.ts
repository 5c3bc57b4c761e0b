import { z } from "zod";
import { problemsOf } from "../../core/index.ts";
import { aCaption, aKind, aName, aPath, aTarget, countProblem, type Layout, NO_KIND, readEach } from "./entry.ts";
import { named } from "./names.ts";

const aCase = z.strictObject({
  photo: aPath,
  target: aTarget,
  source: aCaption.optional(),
  kind: aKind.default(NO_KIND),
  mask: aPath.optional(),
  truth: aPath.optional(),
  name: aName.optional(),
});

const aFile = z.strictObject({
  about: z.string().optional(),
  cases: z.array(z.unknown(), "expected a list of cases"),
});

const place = (k: string): string => `cases.${k}`;

/** Our own layout: docs/cases.md. */
export const ownLayout: Layout = {
  title: "cases.json",
  file: "cases.json",
  list: (json) => {
    const { data, error } = aFile.safeParse(json);
    if (error) return { entries: [], problems: problemsOf(error, json) };
    const { about, cases } = data;
    const wrong = countProblem(cases.length);
    if (wrong) return { entries: [], problems: [wrong] };
    const { fitting, problems } = readEach(Object.entries(cases), aCase, place);
    const { entries, problems: repeated } = named(
      fitting.map(([k, { mask, ...item }]) => ({ where: place(k), ...item, edited: mask })),
    );
    return { entries, problems: [...problems, ...repeated], about };
  },
};
