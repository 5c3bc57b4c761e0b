import { type Size, throwIfCancelled } from "../../../core/index.ts";
import type { PhotoHeader } from "../../../image/index.ts";
import type { Entry } from "../../cases/entry.ts";
import { PIE_SIDE } from "../../cases/pieBench.ts";
import type { PictureFolder } from "./folder.ts";

/** Files that are open at once. Each is read whole. */
const AT_ONCE = 8;

const pathsOf = ({ photo, truth, edited }: Entry) => ({
  photo,
  truth,
  mask: typeof edited === "string" ? edited : undefined,
});

/** Reads the header of each file of the cases once. Throws CancelledError. */
async function readHeaders(
  folder: PictureFolder,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, PhotoHeader | string>> {
  const headers = new Map<string, PhotoHeader | string>();
  for (let k = 0; k < paths.length; k += AT_ONCE) {
    throwIfCancelled(signal, "checking the cases");
    const some = paths.slice(k, k + AT_ONCE);
    const read = await Promise.all(some.map((path) => folder.header(path)));
    for (const [i, path] of some.entries()) headers.set(path, read[i]);
  }
  return headers;
}

const sizeText = ({ width, height }: Size): string => `${width}x${height}`;

/**
 * Lists what is wrong with the files of cases, one problem a line: files that are missing, outside the folder or no pictures,
 * and masks and true results of another size than their photo. A file is named once. Throws CancelledError.
 */
export async function fileProblems(
  folder: PictureFolder,
  entries: readonly Entry[],
  signal?: AbortSignal,
): Promise<string[]> {
  const paths = entries.flatMap((entry) => Object.values(pathsOf(entry)).filter((path) => path !== undefined));
  const headers = await readHeaders(folder, [...new Set(paths)], signal);
  const named = new Set<string>();
  return entries.flatMap((entry) => {
    const problems: string[] = [];
    const sizes: Partial<Record<"photo" | "truth" | "mask", Size>> = {};
    for (const [role, path] of Object.entries(pathsOf(entry)) as [keyof typeof sizes, string | undefined][]) {
      const header = path === undefined ? undefined : headers.get(path);
      if (typeof header === "object") sizes[role] = header;
      if (path === undefined || typeof header !== "string" || named.has(path)) continue;
      named.add(path);
      problems.push(`${entry.where}, ${role}: ${header}`);
    }
    const { photo, ...others } = sizes;
    if (!photo) return problems;
    for (const [role, size] of Object.entries(others)) {
      if (sizeText(size) !== sizeText(photo)) {
        problems.push(
          `${entry.where}, ${role}: found ${sizeText(size)}, expected ${sizeText(photo)}, the photo's size`,
        );
      }
    }
    const square = { width: PIE_SIDE, height: PIE_SIDE };
    if (typeof entry.edited === "object" && sizeText(photo) !== sizeText(square)) {
      problems.push(`${entry.where}, photo: found ${sizeText(photo)}, expected ${sizeText(square)}, the mask's size`);
    }
    return problems;
  });
}
