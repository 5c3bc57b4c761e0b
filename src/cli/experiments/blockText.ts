import { type Block, figureLine } from "../../experiments/index.ts";
import { columns } from "../print.ts";

/** Returns a paragraph, or a table with its caption above, as lines. Of charts and galleries, the caption. */
export function blockText(block: Block): string {
  if (block.type === "text") return block.text;
  if (block.type !== "table") return block.caption;
  const rows = block.rows.map(({ cells }) => cells.map((cell) => (typeof cell === "string" ? cell : figureLine(cell))));
  return `${block.caption}\n${columns([block.columns, ...rows])}`;
}
