import type { Picture } from "../core/index.ts";
import { encodePng } from "../image/node.ts";
import { writeFileAtomic } from "../storage/node.ts";
import { fileNamed, option } from "./options.ts";

/** Under this keyword a PNG holds, as JSON, what made it. */
export const METADATA = "baret";

export const outOption = (value: string) =>
  option(
    "-o, --out <file.png>",
    "the picture to write; of several, out-1.png, out-2.png, …",
    fileNamed(".png"),
  ).default(value);

/** "out.png" for the only one, "out-3.png" for the third of several. */
export const numbered = (out: string, index: number, count: number): string =>
  count === 1 ? out : out.replace(/\.png$/i, `-${index + 1}$&`);

/** Writes a picture with everything that made it. */
export async function writePicture(path: string, picture: Picture, metadata: object): Promise<void> {
  await writeFileAtomic(path, await encodePng(picture, { [METADATA]: JSON.stringify(metadata) }));
}
