import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { baret, loadModel, type Picture } from "../../src/index.ts";
import { installPackage, link, root } from "./packed.ts";

/** What the page is asked for. */
export interface Asked {
  readonly target: string;
  readonly steps: number;
  readonly iterations: number;
  readonly size: { readonly width: number; readonly height: number };
  /** Options of `loadModel`. */
  readonly model?: Readonly<Record<string, unknown>>;
  /** Shortest time between two writes of what is prepared, in milliseconds. Default: the default cache's. */
  readonly everyMs?: number;
}

export const asked: Asked = {
  target: "a brown dog lying down on the grass",
  steps: 3,
  iterations: 2,
  size: { width: 64, height: 64 },
};

/** A page that edits a photo, as a user of the package writes it. */
export const program = `
import { baret, decodePhoto, encodePng, loadModel, PreparedCache } from "baret";

window.told = [];
window.edit = async ({ model: options = {}, everyMs, ...wanted }) => {
  window.told.length = 0;
  const onProgress = ({ phase, done }) => window.told.push({ phase, done });
  const model = await loadModel("menagerie", { ...options, onProgress });
  const { picture } = await decodePhoto(await (await fetch("dog.png")).blob());
  const cache = everyMs === undefined ? {} : { cache: new PreparedCache({ everyMs }) };
  const prepared = await baret.prepare(model, picture, { ...wanted, ...cache }, { onProgress });
  const { images: { edit } } = await baret.edit(model, prepared);
  const png = await encodePng(edit);
  const { threads } = model.engine;
  const warnings = model.warnings.map(({ code }) => code);
  await model.close();
  return { ...edit, data: [...edit.data], png: png.length, told: window.told, threads, warnings };
};
`;

export const indexHtml = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="main.js"></script>`;

interface Told {
  readonly phase: string;
  readonly done: number;
}

/** What the page's function returns. */
interface Made extends Omit<Picture, "data"> {
  readonly data: readonly number[];
  readonly png: number;
  readonly told: readonly Told[];
  readonly threads: number;
  readonly warnings: readonly string[];
}

/** The functions of the page. */
interface Program {
  edit(asked: Asked): Promise<Made>;
  readonly told: readonly Told[];
}

export interface Edited extends Pick<Made, "png" | "threads" | "warnings"> {
  readonly picture: Picture;
  /** Progress of each phase, in order. */
  readonly phases: ReadonlyMap<string, readonly number[]>;
}

function phasesOf(told: readonly Told[]): ReadonlyMap<string, readonly number[]> {
  const phases = new Map<string, number[]>();
  for (const { phase, done } of told) phases.set(phase, [...(phases.get(phase) ?? []), done]);
  return phases;
}

/** Lets the page edit its photo. */
export async function editIn(page: Page, given: Asked = asked): Promise<Edited> {
  page.setDefaultTimeout(500_000);
  await page.waitForFunction(() => "edit" in globalThis);
  const { width, height, data, told, ...facts } = await page.evaluate(
    (own) => (globalThis as unknown as Program).edit(own),
    given,
  );
  return { ...facts, picture: { width, height, data: Uint8Array.from(data) }, phases: phasesOf(told) };
}

/** Progress of a phase of an edit that is under way. */
export const toldOf = (page: Page, phase: string): Promise<number[]> =>
  page.evaluate(
    (wanted) => (globalThis as unknown as Program).told.flatMap((told) => (told.phase === wanted ? told.done : [])),
    phase,
  );

/** Makes a project of a user: the packed package, the page, and its photo in the folder `public`. */
export async function makeProject(project: string): Promise<void> {
  await installPackage(project);
  link(project, "onnxruntime-web");
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "a-page", type: "module", private: true }));
  writeFileSync(join(project, "index.html"), indexHtml);
  writeFileSync(join(project, "main.js"), program);
  mkdirSync(join(project, "public"));
  cpSync(join(root, "examples/dog.png"), join(project, "public/dog.png"));
}

/** Edits the same photo in Node. */
export async function editHere(...all: readonly Asked[]): Promise<Picture[]> {
  const model = await loadModel("menagerie");
  try {
    const pictures: Picture[] = [];
    for (const { model: _, everyMs: __, ...options } of all) {
      const prepared = await baret.prepare(model, join(root, "examples/dog.png"), { ...options, cache: false });
      pictures.push((await baret.edit(model, prepared)).images.edit);
    }
    return pictures;
  } finally {
    await model.close();
  }
}
