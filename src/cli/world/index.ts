// `baret world`: pictures, contact sheets, pairs and training data of the Menagerie.
// Knows of: world, image, storage, weights' safetensors writer.
// Does not know of: models, other commands.
import { join } from "node:path";
import { Command } from "commander";
import { Random, throwIfCancelled, UsageError, type Work } from "../../core/index.ts";
import { contactSheet } from "../../image/index.ts";
import { encodePng } from "../../image/node.ts";
import { requireFolder, writeFileAtomic } from "../../storage/node.ts";
import {
  ANIMALS,
  BESIDE,
  benchmarkPairs,
  COLOURS,
  caption,
  DEFAULT_EDITION,
  type Edition,
  EXPRESSIONS,
  editionKey,
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
import { working } from "../interrupt.ts";
import { choiceOption, integer, option, quietOption, seedOption } from "../options.ts";
import { print } from "../print.ts";
import { countOption, editionOption, sizeOption, workersOption } from "./options.ts";
import { readScene, type SceneFlags } from "./scene.ts";
import { writeShards } from "./shards.ts";

function renderCommand(): Command {
  const seed = integer(0, 4294967295);
  return new Command("render")
    .description("render one scene as PNG")
    .argument("[scene]", "a scene as a JSON file; - for standard input")
    .addOption(editionOption())
    .addOption(choiceOption("--animal <name>", "the animal", ANIMALS))
    .addOption(choiceOption("--pose <pose>", "its pose", POSES))
    .addOption(choiceOption("--colour <colour>", "its colour", COLOURS))
    .addOption(choiceOption("--place <place>", "where it is", PLACES))
    .addOption(choiceOption("--wearing <thing>", "what it wears", WORN))
    .addOption(choiceOption("--beside <thing>", "what lies beside it", BESIDE))
    .addOption(choiceOption("--style <style>", "how it is drawn", STYLES))
    .addOption(choiceOption("--facing <side>", "which way it faces", FACINGS))
    .addOption(choiceOption("--framing <framing>", "how much of it is seen", FRAMINGS))
    .addOption(choiceOption("--expression <expression>", "its expression, in a portrait", EXPRESSIONS))
    .addOption(option("--view-seed <n>", "camera, light and place", seed))
    .addOption(option("--body-seed <n>", "proportions and markings", seed))
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
    .addOption(seedOption(1))
    .addOption(sizeOption())
    .addOption(editionOption().default(DEFAULT_EDITION))
    .addOption(choiceOption("--split <split>", "whose scenes", SPLITS).default("train"))
    .option("--held-out", "only combinations that training leaves out")
    .addOption(quietOption())
    .option("-o, --out <file>", "the PNG to write", "sheet.png")
    .action(
      async (o: {
        count: number;
        seed: number;
        size: number;
        edition: Edition;
        split: Split;
        heldOut?: boolean;
        quiet?: boolean;
        out: string;
      }) => {
        const { split, edition } = o;
        const random = new Random(o.seed);
        const combinations = o.heldOut ? "held out" : "seen";
        const cells = await working(o.quiet ?? false, async ({ onProgress, signal }) => {
          const made = [];
          for (let i = 0; i < o.count; i++) {
            throwIfCancelled(signal, "the contact sheet");
            const scene = sampleScene(random, { split, edition, combinations });
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
  await requireFolder(out);
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
    .addOption(choiceOption("--set <set>", "which pairs", ["benchmark", "tuning"]).default("benchmark"))
    .addOption(editionOption().default(DEFAULT_EDITION))
    .addOption(sizeOption())
    .addOption(quietOption())
    .requiredOption("-o, --out <folder>", "where to write them")
    .action(
      async (o: { set: "benchmark" | "tuning"; edition: Edition; size: number; quiet?: boolean; out: string }) => {
        const pairs = (o.set === "benchmark" ? benchmarkPairs : tuningPairs)(o.edition);
        await working(o.quiet ?? false, (work) => writePairs(pairs, o.size, o.out, work));
        print(join(o.out, "pairs.json"));
      },
    );
}

function shardsCommand(): Command {
  return new Command("shards")
    .description("training data: pictures as safetensors, sentences as JSON lines; finished shards are kept")
    .addOption(countOption(14_000))
    .addOption(seedOption(1))
    .addOption(editionOption().default(DEFAULT_EDITION))
    .addOption(choiceOption("--split <split>", "whose scenes", ["train", "validation"]).default("train"))
    .option("--held-out", "only combinations that training leaves out")
    .option("--portraits", "only portraits")
    .addOption(sizeOption())
    .addOption(workersOption())
    .addOption(quietOption())
    .requiredOption("-o, --out <folder>", "where to write them")
    .action(
      async (o: {
        count: number;
        seed: number;
        edition: Edition;
        split: Split;
        heldOut?: boolean;
        portraits?: boolean;
        size: number;
        workers: number;
        quiet?: boolean;
        out: string;
      }) => {
        const { count, seed, split, size, portraits } = o;
        if (o.heldOut && split === "train") {
          throw new UsageError("held-out combinations are not for training", {
            where: "--held-out",
            advice: "Add --split validation.",
          });
        }
        if (o.heldOut && portraits) {
          throw new UsageError("no portrait is a held-out combination", {
            where: "--portraits",
            advice: "Leave out --held-out or --portraits.",
          });
        }
        const combinations = o.heldOut ? "held out" : undefined;
        const made = await working(o.quiet ?? false, (work) =>
          writeShards(
            { ...editionKey(o.edition), split, combinations, portraits, count, seed, size },
            o.out,
            o.workers,
            work,
          ),
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
