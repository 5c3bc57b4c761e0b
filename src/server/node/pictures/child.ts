// Program of a child process that decodes and encodes pictures of clients, so that a picture that is slow, huge or broken on
// purpose neither blocks nor ends the server.
import { readFile, writeFile } from "node:fs/promises";
import sharp from "sharp";
import { ImageError } from "../../../core/index.ts";
import { readRecord } from "../../../image/index.ts";
import { decodePhoto, encodePicture } from "../../../image/node/index.ts";
import type { DecodedFacts, PictureReply, PictureTask } from "./messages.ts";

/** Longest record that is handed on. That of a strip with 100 edits has about 40 kB. */
const MAX_RECORD_BYTES = 1 << 18;

/** Returns the record in a picture. A picture without one, or with a damaged one, is a photo as any other. */
function recordIn(bytes: Uint8Array): string | undefined {
  try {
    const record = readRecord(bytes);
    return record !== undefined && record.length <= MAX_RECORD_BYTES ? record : undefined;
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}

async function run(task: PictureTask): Promise<DecodedFacts> {
  const bytes = await readFile(task.from);
  if (task.type === "thumbnail") {
    const small = sharp(bytes).resize({ width: task.side, height: task.side, fit: "inside", withoutEnlargement: true });
    const { width, height } = await small.webp({ quality: 82 }).toFile(task.to);
    return { width, height, warnings: [] };
  }
  const { picture, alpha, warnings } = await decodePhoto(bytes, { maxPixels: task.maxPixels });
  await writeFile(task.to, await encodePicture(picture, { format: "png", alpha }));
  const record = recordIn(bytes);
  return {
    width: picture.width,
    height: picture.height,
    ...(record !== undefined && { record }),
    warnings: warnings.map(({ message }) => message),
  };
}

const reply = (answer: PictureReply): void => void process.send?.(answer);

process.on("message", (task: PictureTask) => {
  run(task).then(
    (facts) => reply({ facts }),
    (error: unknown) => {
      if (error instanceof ImageError) return reply({ refused: error.message });
      return reply({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    },
  );
});
process.on("disconnect", () => process.exit());
