import { text } from "node:stream/consumers";
import { SceneError } from "../../core/index.ts";
import { readRegular, storageError } from "../../storage/node/index.ts";
import { parseScene, type Scene } from "../../world/index.ts";

const KEYS = [
  "edition",
  "animal",
  "pose",
  "colour",
  "place",
  "wearing",
  "beside",
  "style",
  "facing",
  "framing",
  "expression",
  "viewSeed",
  "bodySeed",
] as const;

const MAX_SCENE_BYTES = 1 << 20;

/** Flags of the command line, named like the scene's fields. */
export type SceneFlags = { readonly [key in (typeof KEYS)[number]]?: string | number };

/** Reads a scene from a JSON file or from standard input ("-"). Flags replace its fields. Throws SceneError, StorageError. */
export async function readScene(file: string | undefined, flags: SceneFlags): Promise<Scene> {
  const where = file === "-" ? "standard input" : (file ?? "the scene");
  let base: unknown = {};
  if (file !== undefined) {
    const json =
      file === "-"
        ? await text(process.stdin)
        : await readRegular(file, MAX_SCENE_BYTES).then(String, (cause: unknown) => {
            throw storageError("cannot read the scene", file, cause);
          });
    try {
      base = JSON.parse(json);
    } catch (cause) {
      throw new SceneError("not JSON", { where, found: (cause as Error).message, cause });
    }
  }
  if (typeof base !== "object" || base === null || Array.isArray(base)) return parseScene(base, where);
  const given = Object.fromEntries(KEYS.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]));
  return parseScene({ ...base, ...given }, where);
}
