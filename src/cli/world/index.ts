// `baret world`: pictures, contact sheets, pairs and training data of the Menagerie.
// Knows of: world, image, storage, weights' safetensors writer.
// Does not know of: models, other commands.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command, Option } from "commander";
import { Random, throwIfCancelled, type Work } from "../../core/index.ts";
import { contactSheet } from "../../image/index.ts";
import { encodePng } from "../../image/node.ts";
import { storageError, writeFileAtomic } from "../../storage/node.ts";
import {
  ANIMALS,
  BESIDE,
  benchmarkPairs,
  COLOURS,
  caption,
  EXPRESSIONS,
  FACINGS,
  FRAMINGS,
  type Pair,
  PLACES,
  POSES,
  render,
  renderPair,
  SPLITS,
  type Split,
  STYLES,
  sampleScene,
  tuningPairs,
  vocabulary,
  WORN,
} from "../../world/index.ts";
import { working } from "../progress.ts";
import { countOption, integer, seedOption, sizeOption, workersOption } from "./options.ts";
import { readScene, type SceneFlags } from "./scene.ts";
import { writeShards } from "./shards.ts";

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw storageError("cannot make the folder", path, cause);
  });
}

function renderCommand(): Command {
  const choice = (flag: string, about: string, values: readonly string[]): Option =>
    new Option(flag, about).choices(values);
  const seed = integer(0, 4294967295);
  return new Command("render")
    .description("render one scene as PNG")
    .argument("[scene]", "a scene as a JSON file; - for standard input")
    .addOption(choice("--animal <name>", "the animal", ANIMALS))
    .addOption(choice("--pose <pose>", "its pose", POSES))
    .addOption(choice("--colour <colour>", "its colour", COLOURS))
    .addOption(choice("--place <place>", "where it is", PLACES))
    .addOption(choice("--wearing <thing>", "what it wears", WORN))
    .addOption(choice("--beside <thing>", "what lies beside it", BESIDE))
    .addOption(choice("--style <style>", "how it is drawn", STYLES))
    .addOption(choice("--facing <side>", "which way it faces", FACINGS))
    .addOption(choice("--framing <framing>", "how much of it is seen", FRAMINGS))
    .addOption(choice("--expression <expression>", "its expression, in a portrait", EXPRESSIONS))
    .option("--view-seed <n>", "view, light and place", seed)
    .option("--body-seed <n>", "proportions and markings", seed)
    .addOption(sizeOption())
    .option("--json", "print the scene and its sentence as JSON")
    .option("-o, --out <file>", "the PNG to write", "scene.png")
    .action(async (file: string | undefined, flags: SceneFlags & { size: number; out: string; json?: boolean }) => {
      const scene = await readScene(file, flags);
      const png = await encodePng(render(scene, flags.size), { scene: JSON.stringify(scene) });
      await writeFileAtomic(flags.out, png);
      print(flags.json ? JSON.stringify({ scene, caption: caption(scene), out: flags.out }) : caption(scene));
    });
}

function sheetCommand(): Command {
  return new Command("sheet")
    .description("a contact sheet of random scenes with their sentences")
    .addOption(countOption(36))
    .addOption(seedOption())
    .addOption(sizeOption())
    .addOption(new Option("--split <split>", "whose scenes").choices(SPLITS).default("train"))
    .option("--held-out", "only combinations that training leaves out")
    .option("--quiet", "no progress")
    .option("-o, --out <file>", "the PNG to write", "sheet.png")
    .action(
      async (o: {
        count: number;
        seed: number;
        size: number;
        split: Split;
        heldOut?: boolean;
        quiet?: boolean;
        out: string;
      }) => {
        const random = new Random(o.seed);
        const combinations = o.heldOut ? "held out" : "seen";
        const cells = await working(o.quiet ?? false, async ({ onProgress, signal }) => {
          const made = [];
          for (let i = 0; i < o.count; i++) {
            throwIfCancelled(signal, "the contact sheet");
            const scene = sampleScene(random, { split: o.split, combinations });
            made.push({ picture: render(scene, o.size), label: caption(scene, random) });
            onProgress?.({ phase: "render", done: i + 1, total: o.count });
            await new Promise((resolve) => setImmediate(resolve));
          }
          return made;
        });
        await writeFileAtomic(o.out, await encodePng(contactSheet(cells)));
        print(o.out);
      },
    );
}

/** Writes before, after and mask of each pair, and pairs.json, which names them. */
async function writePairs(
  pairs: readonly Pair[],
  size: number,
  out: string,
  { onProgress, signal }: Work,
): Promise<void> {
  await makeFolder(out);
  for (const [i, pair] of pairs.entries()) {
    throwIfCancelled(signal, "the pairs");
    const { before, after, mask } = renderPair(pair, size);
    const grey = {
      width: size,
      height: size,
      data: Uint8Array.from({ length: 3 * size * size }, (_, k) => mask.data[Math.floor(k / 3)]),
    };
    for (const [part, picture] of Object.entries({ before, after, mask: grey })) {
      await writeFileAtomic(join(out, `${pair.name}-${part}.png`), await encodePng(picture));
    }
    onProgress?.({ phase: "render", done: i + 1, total: pairs.length });
  }
  await writeFileAtomic(join(out, "pairs.json"), `${JSON.stringify(pairs, null, 2)}\n`);
}

function pairsCommand(): Command {
  return new Command("pairs")
    .description("the fixed before/after pairs: PNGs of before, after and what must not change, and pairs.json")
    .addOption(new Option("--set <set>", "which pairs").choices(["benchmark", "tuning"]).default("benchmark"))
    .addOption(sizeOption())
    .option("--quiet", "no progress")
    .requiredOption("-o, --out <folder>", "where to write them")
    .action(async (o: { set: "benchmark" | "tuning"; size: number; quiet?: boolean; out: string }) => {
      const pairs = o.set === "benchmark" ? benchmarkPairs() : tuningPairs();
      await working(o.quiet ?? false, (work) => writePairs(pairs, o.size, o.out, work));
      print(join(o.out, "pairs.json"));
    });
}

function shardsCommand(): Command {
  return new Command("shards")
    .description("training data: pictures as safetensors, sentences as JSON lines; finished shards are kept")
    .addOption(countOption(14_000))
    .addOption(seedOption())
    .addOption(new Option("--split <split>", "whose scenes").choices(["train", "validation"]).default("train"))
    .addOption(sizeOption())
    .addOption(workersOption())
    .option("--quiet", "no progress")
    .requiredOption("-o, --out <folder>", "where to write them")
    .action(
      async (o: {
        count: number;
        seed: number;
        split: Split;
        size: number;
        workers: number;
        quiet?: boolean;
        out: string;
      }) => {
        const { count, seed, split, size } = o;
        const made = await working(o.quiet ?? false, (work) =>
          writeShards({ split, count, seed, size }, o.out, o.workers, work),
        );
        print(`${o.out}: ${made} shards made`);
      },
    );
}

export function worldCommand(): Command {
  return new Command("world")
    .description("render the Menagerie: scenes, contact sheets, before/after pairs, training data")
    .addCommand(renderCommand())
    .addCommand(sheetCommand())
    .addCommand(pairsCommand())
    .addCommand(shardsCommand())
    .addCommand(
      new Command("words")
        .description("every word that a sentence may contain, as JSON")
        .action(() => print(JSON.stringify(vocabulary()))),
    );
}
