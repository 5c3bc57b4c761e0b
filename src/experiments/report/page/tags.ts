import type { Report, Tags } from "../report.ts";
import { type Html, html } from "./html.ts";

/** Attributes that the page's filter reads. */
export const tagged = ({ kind, method }: Tags): Html =>
  html`${kind !== undefined && html` data-kind="${kind}"`}${method !== undefined && html` data-method="${method}"`}`;

/** Lists all kinds and methods of a report, in order of appearance. */
export function tagsOf({ sections }: Report): { readonly kinds: string[]; readonly methods: string[] } {
  const all: Tags[] = sections.flatMap(({ blocks }) =>
    blocks.flatMap((block): Tags[] => {
      if (block.type === "table") return [...block.rows];
      if (block.type === "chart") return [...block.series];
      if (block.type === "gallery") return block.rows.flatMap((row) => [{ kind: row.kind }, ...row.pictures]);
      return [];
    }),
  );
  const distinct = (values: readonly (string | undefined)[]): string[] => [
    ...new Set(values.filter((value) => value !== undefined)),
  ];
  return { kinds: distinct(all.map(({ kind }) => kind)), methods: distinct(all.map(({ method }) => method)) };
}
