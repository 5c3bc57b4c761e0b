import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packageModels, packageVocabulary } from "../../src/diffusion/web/packageModels.ts";
import { LIST_NAME, listFiles } from "../../src/storage/index.ts";
import { openLocal } from "../../src/storage/node/index.ts";
import type { Folder } from "../../src/weights/index.ts";

const folders = [
  ...[...packageModels].map(([name, folder]) => ({ place: `checkpoints/${name}`, folder })),
  { place: `assets/${packageVocabulary.name}`, folder: packageVocabulary.folder },
];

test.each(folders)(
  "$place has a list of its files, and a bundler is told of each of them",
  async ({ place, folder }) => {
    const { files } = await listFiles((await openLocal(place)) as Folder);
    const needed = files.filter(({ path }) => /\.(json|txt|safetensors)$/.test(path));
    const text = readFileSync(`${place}/${LIST_NAME}`, "utf8");
    expect(JSON.parse(text), "node tools/fileLists.mjs").toEqual({ files: needed });
    expect(Object.keys(folder.urls)).toEqual(needed.map(({ path }) => path));
    for (const [path, url] of Object.entries(folder.urls))
      expect(url.pathname.endsWith(`/${place}/${path}`)).toBe(true);
    expect(folder.list.pathname.endsWith(`/${place}/${LIST_NAME}`)).toBe(true);
  },
);
