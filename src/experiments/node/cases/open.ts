import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { few, listed, type Mask, UsageError } from "../../../core/index.ts";
import { brightPixels } from "../../../image/index.ts";
import { decodePhoto } from "../../../image/node/index.ts";
import { outside, requireSameSize } from "../../../metrics/index.ts";
import { exists } from "../../../storage/node/index.ts";
import { EDITIONS } from "../../../world/index.ts";
import type { Case, CaseSet } from "../../cases/case.ts";
import type { Entry, Layout } from "../../cases/entry.ts";
import { fitted } from "../../cases/fitted.ts";
import { menagerieCasesNamed, menagerieSets } from "../../cases/menagerie.ts";
import { ownLayout } from "../../cases/own.ts";
import { editedRegion, pieBenchLayout } from "../../cases/pieBench.ts";
import { tedBenchLayout } from "../../cases/tedbench.ts";
import { readJson } from "../json.ts";
import { fileProblems } from "./check.ts";
import { PictureFolder } from "./folder.ts";

const layouts: readonly Layout[] = [ownLayout, tedBenchLayout, pieBenchLayout];

const sets = Object.keys(menagerieSets);
const expected = `${[...sets, ...sets.flatMap((set) => EDITIONS.map((edition) => `${set}-${edition}`))].join(", ")}, or a folder with ${layouts.map(({ file }) => file).join(" or ")}`;
const advice = "docs/cases.md describes the layouts.";

/** PIE-Bench's list has 700 masks. A JavaScript string has at most 512 MB. */
const MAX_LIST_BYTES = 256 << 20;

export interface OpenCasesOptions {
  readonly signal?: AbortSignal;
}

/**
 * Opens a set of cases: the Menagerie's "benchmark" or "tuning" (`inEdition` gives that of a model's edition), one of them in an
 * edition, such as "tuning-2", or a folder in one of the layouts of docs/cases.md. Checks
 * all that can be wrong before work starts, except the bodies of picture files. Throws UsageError that lists every problem,
 * StorageError, CancelledError.
 */
export async function openCases(source: string, { signal }: OpenCasesOptions = {}): Promise<CaseSet> {
  const known = menagerieCasesNamed(source);
  if (known) return known;
  const folder = new PictureFolder(source);
  const layout = await layoutOf(source);
  const list = await readJson(join(source, layout.file), MAX_LIST_BYTES, advice);
  const beside = layout.captions && join(source, layout.captions);
  const captions = beside && (await exists(beside)) ? await readJson(beside, MAX_LIST_BYTES, advice) : undefined;
  const { about, entries, problems } = layout.list(list, captions);
  const all = [...problems, ...(await fileProblems(folder, entries, signal))];
  if (all.length > 0) {
    throw new UsageError(`cases with problems\n${listed(all)}`, { where: join(source, layout.file), advice });
  }
  return {
    name: basename(folder.path),
    about: about ?? `${entries.length} cases from a folder in the layout of ${layout.title}`,
    cases: entries.map((entry) => caseOf(folder, entry)),
  };
}

/** Finds the layout of a folder by its list. Throws UsageError if it has none or several. */
async function layoutOf(source: string): Promise<Layout> {
  const isFolder = await stat(source).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new UsageError("no such cases", { where: source, expected, advice });
  const has = await Promise.all(layouts.map(({ file }) => exists(join(source, file))));
  const found = layouts.filter((_, k) => has[k]);
  if (found.length === 1) return found[0];
  throw new UsageError("a folder in no layout of cases, or in several", {
    where: source,
    found: few(found.map(({ file }) => file)) || "none of the lists",
    expected: `one of ${layouts.map(({ file }) => file).join(", ")}`,
    advice,
  });
}

function caseOf(folder: PictureFolder, entry: Entry): Case {
  const { name, kind, target, source } = entry;
  const decoded = async (path: string) => (await decodePhoto(await folder.locate(path))).picture;
  return {
    name,
    kind,
    target,
    ...(source !== undefined && { source }),
    has: [
      ...(entry.truth === undefined ? [] : (["truth"] as const)),
      ...(entry.edited === undefined ? [] : (["kept"] as const)),
    ],
    pictures: async (size) => {
      const photo = await decoded(entry.photo);
      const truth = entry.truth === undefined ? undefined : await decoded(entry.truth);
      const edited = typeof entry.edited === "string" ? brightPixels(await decoded(entry.edited)) : regionOf(entry);
      // Files may have changed since they were checked.
      for (const other of [truth, edited]) if (other) requireSameSize(photo, other);
      return fitted({ photo, truth, kept: edited && outside(edited) }, size);
    },
  };
}

const regionOf = ({ edited }: Entry): Mask | undefined =>
  typeof edited === "object" ? editedRegion(edited) : undefined;
