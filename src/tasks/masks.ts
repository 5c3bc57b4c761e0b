import { isRecordedFile, type Mask, type MaskValue, optionsOf, UsageError, type Warning } from "../core/index.ts";
import type { Platform, Size } from "../diffusion/index.ts";
import { type Method, pictureHash } from "../editing/index.ts";
import { brightPixels, fitMask } from "../image/index.ts";
import { modes, type Photo } from "./photo.ts";
import type { SettingValues } from "./record.ts";

/** A mask from a file. sha256: of its size and its bytes. */
export interface MaskFile extends Mask {
  readonly path: string;
  readonly sha256: string;
}

/** The picture that masks belong to. */
export interface MaskedPicture {
  /** Size to work at. */
  readonly size: Size;
  /** The photo, if it is given: then a mask of its own size is fitted as it was. */
  readonly photo?: Pick<Photo, "full" | "fit">;
}

/**
 * Replaces the paths of edit options that take masks by the masks in their files. Warns of a file that is not the one that a
 * record names. Throws ImageError if a file is no picture, UsageError if a mask has another shape than the picture or marks
 * nothing.
 */
export async function withMasks<Options extends object>(
  { editOptions }: Pick<Method, "editOptions">,
  options: Options,
  picture: MaskedPicture,
  platform: Pick<Platform, "decodePhoto">,
): Promise<{ options: Options; warnings: readonly Warning[] }> {
  const read: Record<string, Mask> = {};
  const warnings: Warning[] = [];
  for (const { name, isFile } of optionsOf(editOptions)) {
    const value = (options as SettingValues)[name] as MaskValue | undefined;
    if (!isFile || value === undefined) continue;
    const mask =
      typeof value === "object" && "data" in value
        ? fitted(value, name, picture)
        : await readMask(value, name, picture, platform);
    read[name] = mask;
    if (isRecordedFile(value) && "sha256" in mask && mask.sha256 !== value.sha256) {
      const message = `${value.path} has changed since the picture was made, so the picture will differ`;
      warnings.push({ code: "changed-mask", message, details: { path: value.path } });
    }
  }
  return { options: { ...options, ...read }, warnings };
}

async function readMask(
  value: Exclude<MaskValue, Mask>,
  name: string,
  picture: MaskedPicture,
  { decodePhoto }: Pick<Platform, "decodePhoto">,
): Promise<MaskFile> {
  const path = typeof value === "string" ? value : value.path;
  const mask = fitted(brightPixels((await decodePhoto(path)).picture), `${name}: ${path}`, picture);
  return { ...mask, path, sha256: pictureHash(mask) };
}

/**
 * Returns a mask of the picture to edit. One of the photo's own size is fitted as the photo; one of the picture's shape stays
 * at its size. where: option and file, for messages.
 */
function fitted(mask: Mask, where: string, { size: { width, height }, photo }: MaskedPicture): Mask {
  if (!mask.data.some((byte) => byte > 0)) {
    throw new UsageError("this mask marks nothing", {
      where,
      expected: "white where the subject is, black elsewhere",
    });
  }
  if (photo && mask.width === photo.full.width && mask.height === photo.full.height) {
    return fitMask(mask, { width, height, mode: modes[photo.fit] });
  }
  if (mask.width * height === mask.height * width) return mask;
  const own = photo ? `, or the photo's own ${photo.full.width}x${photo.full.height}` : "";
  throw new UsageError("this mask has another shape than the picture", {
    where,
    found: `${mask.width}x${mask.height}`,
    expected: `${width}x${height}, another size of this shape${own}`,
  });
}
