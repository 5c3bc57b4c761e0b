import type { Block, Section } from "./report.ts";

/** A block of a section, with the name of its files. */
export interface NamedBlock<B extends Block = Block> {
  /** Such as "fig8-table-1". Letters, digits, "-", "_" and "." only. */
  readonly name: string;
  readonly section: Section;
  readonly block: B;
}

/** Makes a part of a file name, or of an id, of a text. */
export const fileName = (text: string): string => text.replaceAll(/[^\w.-]+/g, "-").replace(/^\.+/, "") || "section";

/** Names every block of the sections: by section, type, and number among the blocks of that type. */
export function namedBlocks(sections: readonly Section[]): NamedBlock[] {
  const used = new Map<string, number>();
  return sections.flatMap((section) =>
    section.blocks.map((block) => {
      const stem = `${fileName(section.name)}-${block.type}`;
      const number = (used.get(stem) ?? 0) + 1;
      used.set(stem, number);
      return { name: `${stem}-${number}`, section, block };
    }),
  );
}

/** Picks the blocks of one type. */
export const blocksOf = <T extends Block["type"]>(
  blocks: readonly NamedBlock[],
  type: T,
): NamedBlock<Extract<Block, { type: T }>>[] =>
  blocks.filter((one): one is NamedBlock<Extract<Block, { type: T }>> => one.block.type === type);

const METRIC = "metric ";

/** Returns the name of the fact that says what a metric is. */
export const metricFact = (metric: string): string => `${METRIC}${metric}`;

/** Tells if a fact says what a metric is. */
export const isMetricFact = (name: string): boolean => name.startsWith(METRIC);
