import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ImageError, type Picture } from "../core/index.ts";
import { readPngText } from "../image/index.ts";
import { encodePng } from "../image/node.ts";
import { storageError, writeFileAtomic } from "../storage/node.ts";
import { fileNamed, option } from "./options.ts";

/** Under this keyword a PNG holds, as JSON, what made it. */
const METADATA = "baret";

export const pngFile = fileNamed(".png");

export const outOption = (value: string) =>
  option("-o, --out <file.png>", "the picture to write; of several, out-1.png, out-2.png, …", pngFile).default(value);

/** "out.png" for the only one, "out-3.png" for the third of several. */
export const numbered = (out: string, index: number, count: number): string =>
  count === 1 ? out : suffixed(out, `${index + 1}`);

/** "out.png" with something before its ending: "out-transition.png". */
export const suffixed = (out: string, suffix: string): string => out.replace(/(\.[^./\\]+)+$/, `-${suffix}$&`);

/** Writes a picture with everything that made it. */
export async function writePicture(path: string, picture: Picture, metadata: object): Promise<void> {
  await writeFileAtomic(path, await encodePng(picture, { [METADATA]: JSON.stringify(metadata) }));
}

const schema = z.looseObject({
  command: z.string(),
  version: z.string(),
  model: z.looseObject({
    name: z.string(),
    prediction: z.string().optional(),
    variant: z.string().optional(),
    sha256: z.string(),
  }),
  engine: z.looseObject({ device: z.string(), threads: z.number() }),
  photo: z.looseObject({ path: z.string(), sha256: z.string() }).optional(),
  settings: z.record(z.string(), z.unknown()),
});

/** What made a picture of baret's. */
export type Metadata = z.infer<typeof schema>;

/** What made the picture in a PNG file. Throws ImageError where the file does not tell. */
export async function readMetadata(path: string): Promise<Metadata> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw storageError("cannot be read", path, cause);
  });
  const advice = "It must be a PNG that baret wrote, and that no other program has changed since.";
  try {
    return schema.parse(JSON.parse(readPngText(bytes)[METADATA] ?? "null"));
  } catch (cause) {
    throw new ImageError("does not tell what made it", { where: path, advice, cause });
  }
}
