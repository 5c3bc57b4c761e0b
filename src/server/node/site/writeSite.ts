import { cp, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { few, StorageError, UsageError, version } from "../../../core/index.ts";
import {
  isMissing,
  packagePath,
  requireFolder,
  storageError,
  uniqueName,
  writeFileAtomic,
} from "../../../storage/node/index.ts";
import { MODELS_FILE, PIECES_FOLDER, type SiteModels } from "../../page/index.ts";
import { describeModels } from "../models/index.ts";
import { writePieces } from "./modelPieces.ts";

/** The models of a site: the one to edit with, and its judge. */
const [MODEL, JUDGE] = ["menagerie", "menagerie-judge"];

/** A site that was written. */
export interface WrittenSite {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Writes the page without a server to a folder: page, workers, the engine's WebAssembly, the Menagerie and its judge. The folder
 * appears whole, or is left as it is. Throws UsageError if the folder has other files, or an older site and `replace` is false;
 * StorageError if it cannot be written.
 */
export async function writeSite(folder: string, { replace = false } = {}): Promise<WrittenSite> {
  const place = resolve(folder);
  const found = await namesIn(place);
  requireOwn(folder, found, replace);
  const above = dirname(place);
  await requireFolder(above);
  const made = join(above, `.${uniqueName(basename(place))}`);
  try {
    await copyPage(made);
    const models = await writeModels(made);
    await writeFileAtomic(join(made, MODELS_FILE), JSON.stringify(models));
    const size = await sizeOf(made);
    await exchange(made, place, found !== undefined);
    return { folder: place, ...size };
  } catch (cause) {
    if (cause instanceof UsageError || cause instanceof StorageError) throw cause;
    throw storageError("the site cannot be written", folder, cause);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** Names in a folder. Undefined if there is no such folder. */
async function namesIn(folder: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw storageError("the folder cannot be read", folder, cause);
  }
}

/** Names that every site has. */
const marks = ["index.html", "sw.js", dirname(MODELS_FILE)];

function requireOwn(folder: string, found: readonly string[] | undefined, replace: boolean): void {
  if (!found || found.length === 0) return;
  const isSite = marks.every((name) => found.includes(name));
  if (isSite && replace) return;
  throw new UsageError(isSite ? "the folder has a site already" : "the folder has other files", {
    where: folder,
    found: few(found),
    expected: "a new or an empty folder",
    advice: isSite ? "Use --force to replace it." : "Name a new folder. Nothing was changed.",
  });
}

/** Copies the page as the build made it. */
async function copyPage(to: string): Promise<void> {
  const from = packagePath("dist/site");
  try {
    await cp(from, to, { recursive: true });
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new StorageError("the page has not been built", { where: from, advice: "Run npm run build.", cause });
  }
}

async function writeModels(site: string): Promise<SiteModels> {
  const pieces = join(site, PIECES_FOLDER);
  await requireFolder(pieces);
  const [description] = await describeModels([MODEL]);
  const model = { ...(await writePieces(MODEL, pieces)), description: { ...description, hasJudge: true } };
  return { version, models: [model, await writePieces(JUDGE, pieces)] };
}

/** Puts the new site in the place of what is there. */
async function exchange(made: string, place: string, isThere: boolean): Promise<void> {
  const old = `${made}.old`;
  if (isThere) await rename(place, old);
  try {
    await rename(made, place);
  } catch (error) {
    if (isThere) await rename(old, place);
    throw error;
  }
  if (isThere) await rm(old, { recursive: true, force: true });
}

async function sizeOf(folder: string): Promise<{ files: number; bytes: number }> {
  const sizes: number[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const found = await stat(join(folder, name));
    if (found.isFile()) sizes.push(found.size);
  }
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
