import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Folders of which every file is in the package, and that it needs to run. */
export const packedWhole = ["dist", "assets", "checkpoints"];

/** Lists the files of the package as npm packs it. */
export async function packedFiles(): Promise<string[]> {
  const pack = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const { stdout } = await promisify(execFile)("npm", pack, { cwd: root });
  const [{ files }]: [{ files: { path: string }[] }] = JSON.parse(stdout);
  return files.map(({ path }) => path);
}

/** Puts a package of this project's into the project at `folder`. */
export function link(folder: string, name: string): void {
  const place = join(folder, "node_modules", name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(root, "node_modules", name), place);
}

/** Installs the package, its dependencies and Node's types into the project at `folder`. All that these folders hold is in the package. */
export async function installPackage(folder: string): Promise<void> {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const name of ["@types/node", ...Object.keys(dependencies)]) link(folder, name);
  const place = join(folder, "node_modules/baret");
  mkdirSync(place, { recursive: true });
  // The files are many: fs.cp takes several times as long.
  await promisify(execFile)("cp", ["-r", ...packedWhole, "package.json", place], { cwd: root });
}
