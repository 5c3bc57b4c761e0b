import { z } from "zod";
import { isA, type Mask, shown } from "../../core/index.ts";
import { aName, aPath, aTarget, countProblem, entriesOf, type Layout, readEach } from "./entry.ts";
import { named } from "./names.ts";

// PIE-Bench (Ju et al. 2024): photos of 512 x 512 in annotation_images/.

/** Width and height of the photos and the masks. */
export const PIE_SIDE = 512;

/** Its editing types 0 to 9. */
const KINDS = [
  "random",
  "object",
  "add",
  "delete",
  "content",
  "pose",
  "colour",
  "material",
  "background",
  "style",
] as const;

const isRuns = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length % 2 === 0 &&
  value.every((n, k) => Number.isSafeInteger(n) && n >= 0 && (k % 2 === 1 || n < PIE_SIDE ** 2));

const runs = isA<readonly number[]>(
  `pairs of start and length in ${PIE_SIDE}x${PIE_SIDE} pixels, such as [1030, 5, 1542, 5]`,
  isRuns,
);

/** Brackets mark the words that differ between the two prompts. */
const aPrompt = z
  .string()
  .transform((prompt) => prompt.replaceAll(/[[\]]/g, ""))
  .pipe(aTarget);

const anItem = z.looseObject({
  image_path: aPath,
  original_prompt: aPrompt,
  editing_prompt: aPrompt,
  editing_type_id: z
    .enum(Object.keys(KINDS), `expected "0" to "${KINDS.length - 1}"`)
    .transform((id) => KINDS[Number(id)]),
  mask: runs,
});

export const pieBenchLayout: Layout = {
  title: "PIE-Bench",
  file: "mapping_file.json",
  list: (json) => {
    const items = entriesOf(json);
    if (!items) return { entries: [], problems: [`found ${shown(json)}, expected {name: case}`] };
    const wrong = countProblem(items.length);
    if (wrong) return { entries: [], problems: [wrong] };
    const names = items.map(([name]) => [name, name] as const);
    const { problems: unsafe } = readEach(names, aName, (name) => `the name ${shown(name)}`);
    const { fitting, problems } = readEach(items, anItem, shown);
    const { entries, problems: repeated } = named(
      fitting.map(([name, item]) => ({
        where: shown(name),
        name,
        kind: item.editing_type_id,
        target: item.editing_prompt,
        source: item.original_prompt,
        photo: `annotation_images/${item.image_path}`,
        edited: item.mask,
      })),
    );
    return { entries, problems: [...unsafe, ...problems, ...repeated] };
  },
};

/**
 * Decodes runs [start, length, start, length, …] of the edited region, row by row, as PIE-Bench's program does: it cuts off
 * a run at the last pixel, and adds the border of one pixel.
 */
export function editedRegion(runs: readonly number[]): Mask {
  const side = PIE_SIDE;
  const data = new Uint8Array(side * side);
  for (let k = 0; k < runs.length; k += 2) data.fill(255, runs[k], runs[k] + runs[k + 1]);
  data.fill(255, 0, side);
  data.fill(255, side * (side - 1));
  for (let y = 0; y < side; y++) data[y * side] = data[y * side + side - 1] = 255;
  return { width: side, height: side, data };
}
