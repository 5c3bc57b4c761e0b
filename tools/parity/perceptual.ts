/** Compares LPIPS and structure distance at their real size with the references of perceptual.py, which runs this. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Picture } from "../../src/core/index.ts";
import { input, type Node } from "../../src/graph/index.ts";
import { structurePixels } from "../../src/metrics/index.ts";
import { loadLpips, loadStructure } from "../../src/metrics/node/index.ts";
import { dinoB8, type LpipsNet, lpips, lpipsNets, structureDistance } from "../../src/models/index.ts";
import type { Engine } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { DiskCache, openLocalFile } from "../../src/storage/node/index.ts";
import { readLegacyTorch, readTensor } from "../../src/weights/index.ts";
import { drawnFile } from "../../test/metrics/drawn.ts";
import { type References, readReferences, tell, worst } from "./compare.ts";

/** Relative. */
const most = 1e-4;

type Distance = (a: Picture, b: Picture) => Promise<number>;
type Expected = Readonly<Record<string, readonly number[]>>;

const pixels = (side: number): Node => input("pixels", [2, 3, side, side]);

/** The largest relative error over all pairs. */
async function worstError({ ints }: References, distance: Distance, expected: readonly number[]): Promise<number> {
  const errors: number[] = [];
  for (const [i, value] of expected.entries()) {
    const [a, b] = ["a", "b"].map((name): Picture => {
      const { shape, data } = ints[`${name}${i}`];
      return { width: shape[1], height: shape[0], data: Uint8Array.from(data) };
    });
    errors.push(Math.abs((await distance(a, b)) - value) / value);
  }
  return worst(errors);
}

/** Numbers of the package's own file that are read otherwise than PyTorch reads them. */
async function differing(file: string, net: LpipsNet, { values }: References): Promise<number> {
  let count = 0;
  for (const [key, ref] of await readLegacyTorch(await openLocalFile(file))) {
    const { data } = await readTensor(ref);
    count += values[`${net}/${key}`].data.filter((x, i) => x !== data[i]).length;
  }
  return count;
}

async function compareLpips(engine: Engine, references: References, expected: Expected, place: Place): Promise<void> {
  for (const net of Object.keys(lpipsNets) as LpipsNet[]) {
    const linear = join(place.package, net === "vgg16" ? "vgg.pth" : `${net}.pth`);
    tell({
      case: net,
      what: "linear weights: numbers that differ",
      value: await differing(linear, net, references),
      most: 0,
    });
    const trunk = join(place.folder, `${net}.safetensors`);
    const side = lpipsNets[net].smallest;
    writeFileSync(
      trunk,
      drawnFile(lpips(lpipsNets[net], pixels(side)), (name) => name.startsWith("features.")),
    );
    const own = await loadLpips(engine, net, { trunk, linear });
    const value = await worstError(references, (a, b) => own.distance(a, b), expected[net]);
    tell({ case: net, what: "distance, relative error", value, most });
    await own.release();
  }
}

async function compareStructure(
  engine: Engine,
  references: References,
  expected: Expected,
  place: Place,
): Promise<void> {
  const file = join(place.folder, "dino.safetensors");
  writeFileSync(file, drawnFile(structureDistance(dinoB8, pixels(dinoB8.size))));
  for (const kind of structurePixels) {
    const own = await loadStructure(engine, file, { pixels: kind });
    const value = await worstError(references, (a, b) => own.distance(a, b), expected[kind]);
    tell({ case: `DINO, pixels as ${kind}`, what: "distance, relative error", value, most });
    await own.release();
  }
}

interface Place {
  /** The linear weights of the lpips package. */
  readonly package: string;
  readonly folder: string;
}

export async function main([path, lpipsWeights, cache]: string[]): Promise<void> {
  const references = await readReferences(path);
  const expected = JSON.parse(references.metadata.expected) as Expected;
  const folder = mkdtempSync(join(tmpdir(), "baret-perceptual-"));
  const place: Place = { package: lpipsWeights, folder };
  const engine = await startEngine({ threads: 1, cache: new DiskCache({ folder: cache }) });
  try {
    await compareLpips(engine, references, expected, place);
    await compareStructure(engine, references, expected, place);
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true });
  }
}
