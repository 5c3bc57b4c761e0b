import { join } from "node:path";
import { type Mask, type Picture, throwIfCancelled, type Work } from "../../core/index.ts";
import { encodePng } from "../../image/node/index.ts";
import { requireFolder, writeFileAtomic } from "../../storage/node/index.ts";
import { type Pair, renderPair } from "../pairs.ts";

/** Returns a mask as a grey picture. */
function greyPicture({ width, height, data }: Mask): Picture {
  return { width, height, data: Uint8Array.from({ length: 3 * data.length }, (_, k) => data[Math.floor(k / 3)]) };
}

/**
 * Writes each pair as NAME-before.png, NAME-after.png and NAME-mask.png, then pairs.json, which lists the pairs. Throws
 * StorageError, CancelledError.
 */
export async function writePairs(
  pairs: readonly Pair[],
  size: number,
  folder: string,
  { onProgress, signal }: Work = {},
): Promise<void> {
  await requireFolder(folder);
  for (const [i, pair] of pairs.entries()) {
    throwIfCancelled(signal, "the pairs");
    const { before, after, mask } = renderPair(pair, size);
    for (const [name, picture] of Object.entries({ before, after, mask: greyPicture(mask) })) {
      await writeFileAtomic(join(folder, `${pair.name}-${name}.png`), await encodePng(picture));
    }
    onProgress?.({ phase: "render", done: i + 1, total: pairs.length });
  }
  await writeFileAtomic(join(folder, "pairs.json"), `${JSON.stringify(pairs, null, 2)}\n`);
}
