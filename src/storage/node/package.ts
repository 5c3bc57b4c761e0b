import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CheckpointError } from "../../core/index.ts";
import type { ByteSource } from "../../weights/index.ts";
import { openLocalFile } from "./files.ts";

/** Advice if a file is missing because a bundler copied only the code. */
export const BUNDLE_ADVICE =
  'If your program is bundled, keep baret out of the bundle: external: ["baret"] in esbuild and Rollup.';

/** URL of this file. Undefined in a CommonJS bundle. */
const here: string | undefined = import.meta.url;

/** Returns the nearest folder above this file that has a package.json. Undefined if that package is not baret. */
function findPackage(): URL | undefined {
  if (!here) return undefined;
  let folder = new URL("./", here);
  while (!existsSync(new URL("package.json", folder))) {
    const above = new URL("../", folder);
    if (above.href === folder.href) return undefined;
    folder = above;
  }
  const { name } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  return name === "baret" ? folder : undefined;
}

const found = findPackage();

/** Returns the path of a file or folder of this package, such as "assets/clip/merges.txt". Throws CheckpointError in a bundle. */
export function packagePath(path: string): string {
  if (found) return fileURLToPath(new URL(path, found));
  throw new CheckpointError("a file of the package baret cannot be found", {
    where: path,
    found: `code in ${here ? fileURLToPath(here) : "a CommonJS bundle"}`,
    expected: "code in baret's own folder",
    advice: BUNDLE_ADVICE,
  });
}

/** Opens a file of this package. Throws CheckpointError if it does not exist. */
export const openPackageFile = async (path: string): Promise<ByteSource> => openLocalFile(packagePath(path));
