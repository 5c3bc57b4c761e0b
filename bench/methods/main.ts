/** `npm run bench -- methods`: how well and how fast every method edits pairs whose true result is known. */
import { methods } from "../../src/editing/index.ts";
import type { SettingValues } from "../../src/tasks/index.ts";
import { splitOptions } from "../../src/tasks/index.ts";
import { json, readOptions, text, words } from "../options.ts";
import { pairOptions, printReport } from "../pairs.ts";

const about =
  "Edits pairs whose true result is known with every method at its defaults, and compares the results with BARET's. " +
  "Methods that use a caption of the photo get the pair's own.";
const names = methods().map(({ name }) => name);
const options = {
  ...pairOptions,
  methods: words(names, "methods"),
  options: json<Readonly<Record<string, SettingValues>>>("options by method, over the defaults", {}),
  out: text("FOLDER", "keeps pictures and figures; an edit that is there is not made again", "out/methods"),
};

export async function main(args: readonly string[]): Promise<void> {
  const values = readOptions("methods", about, options, args);
  const chosen = methods().filter(({ name }) => values.methods.includes(name));
  const settings = chosen.map((method) => {
    const { preset, prepare, edit } = splitOptions(method, values.options[method.name] ?? {});
    return { method, preset, prepare, edit: () => edit };
  });
  await printReport(values, settings);
}
