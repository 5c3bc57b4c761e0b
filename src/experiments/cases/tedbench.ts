import { z } from "zod";
import { shown } from "../../core/index.ts";
import { aCaption, aPath, aTarget, countProblem, entriesOf, type Layout, NO_KIND, readEach } from "./entry.ts";
import { named } from "./names.ts";

const CAPTIONS = "captions.json";

const anItem = z.looseObject({ img_name: aPath, target_text: aTarget });

const place = (k: string): string => `entry ${k}`;

/** TEdBench (Kawar et al. 2023): photos in originals/, no kinds, no captions. Ours are in captions.json: {img_name: caption}. */
export const tedBenchLayout: Layout = {
  title: "TEdBench",
  file: "input_list.json",
  captions: CAPTIONS,
  list: (json, captions = {}) => {
    const wrong = Array.isArray(json) ? countProblem(json.length) : `found ${shown(json)}, expected a list of cases`;
    if (wrong) return { entries: [], problems: [wrong] };
    const { fitting, problems } = readEach(Object.entries(json as unknown[]), anItem, place);
    const known = readCaptions(captions, new Set(fitting.map(([, { img_name }]) => img_name)));
    const { entries, problems: repeated } = named(
      fitting.map(([k, { img_name, target_text }]) => ({
        where: place(k),
        kind: NO_KIND,
        target: target_text,
        source: known.captions.get(img_name),
        photo: `originals/${img_name}`,
      })),
    );
    return { entries, problems: [...problems, ...repeated, ...known.problems] };
  },
};

/** Reads captions by photo. A caption of a photo that no case has is a problem, since it may be misspelt. */
function readCaptions(json: unknown, photos: ReadonlySet<string>) {
  const found = entriesOf(json);
  if (!found) {
    const problem = `${CAPTIONS}: found ${shown(json)}, expected {img_name: caption}`;
    return { captions: new Map<string, string>(), problems: [problem] };
  }
  const placeOf = (photo: string): string => `${CAPTIONS}, ${shown(photo)}`;
  const { fitting, problems } = readEach(found, aCaption, placeOf);
  const unused = fitting.filter(([photo]) => !photos.has(photo));
  return {
    captions: new Map(fitting),
    problems: [...problems, ...unused.map(([photo]) => `${placeOf(photo)}: no case has this photo`)],
  };
}
