import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Picture } from "../../../src/core/index.ts";
import { encodePng } from "../../../src/image/node/index.ts";

/** A picture whose pixels have the grey levels that `level` gives. */
export const shades = (width: number, height: number, level: (x: number, y: number) => number): Picture => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, k) => {
    const place = Math.floor(k / 3);
    return level(place % width, Math.floor(place / width));
  }),
});

export const plain = (width: number, height: number, level = 100): Picture => shades(width, height, () => level);

/** Writes files of a folder: a picture as PNG, text and bytes as they are, everything else as JSON. */
export async function writeFiles(folder: string, files: Readonly<Record<string, unknown>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const isPicture = typeof content === "object" && content !== null && "data" in content;
    const isRaw = typeof content === "string" || content instanceof Uint8Array;
    writeFileSync(path, isPicture ? await encodePng(content as Picture) : isRaw ? content : JSON.stringify(content));
  }
}
