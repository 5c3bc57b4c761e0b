import { Command } from "commander";
import { giveTurn, Random, type Work } from "../../core/index.ts";
import { contactSheet } from "../../image/index.ts";
import { encodePng } from "../../image/node/index.ts";
import { writeFileAtomic } from "../../storage/node/index.ts";
import {
  ANIMALS,
  BESIDE,
  COLOURS,
  caption,
  DEFAULT_EDITION,
  type Edition,
  EXPRESSIONS,
  FACINGS,
  FRAMINGS,
  PLACES,
  POSES,
  render,
  SPLITS,
  type Split,
  STYLES,
  sampleScene,
  WORN,
} from "../../world/index.ts";
import { withProgress } from "../interrupt.ts";
import { choiceOption, integer, option, quietOption, seedOption } from "../options.ts";
import { print } from "../print.ts";
import { countOption, editionOption, heldOutOption, sizeOption } from "./options.ts";
import { readScene, type SceneFlags } from "./scene.ts";

interface RenderFlags extends SceneFlags {
  size: number;
  out: string;
  json?: boolean;
}

/** `baret world render`. */
export function renderCommand(): Command {
  const seed = integer(0, 4294967295);
  return new Command("render")
    .description("render one scene as PNG")
    .argument("[scene]", "JSON file with a scene; - reads standard input")
    .addOption(editionOption())
    .addOption(choiceOption("--animal <name>", "animal", ANIMALS))
    .addOption(choiceOption("--pose <pose>", "pose of the animal", POSES))
    .addOption(choiceOption("--colour <colour>", "colour of the animal", COLOURS))
    .addOption(choiceOption("--place <place>", "background", PLACES))
    .addOption(choiceOption("--wearing <thing>", "thing that the animal wears", WORN))
    .addOption(choiceOption("--beside <thing>", "thing beside the animal", BESIDE))
    .addOption(choiceOption("--style <style>", "drawing style", STYLES))
    .addOption(choiceOption("--facing <side>", "side that the animal faces", FACINGS))
    .addOption(choiceOption("--framing <framing>", "part of the animal in the picture", FRAMINGS))
    .addOption(choiceOption("--expression <expression>", "expression, in a portrait", EXPRESSIONS))
    .addOption(option("--view-seed <n>", "seed of camera, light and background", seed))
    .addOption(option("--body-seed <n>", "seed of proportions and markings", seed))
    .addOption(sizeOption())
    .option("--json", "print the scene and its caption as JSON")
    .option("-o, --out <file>", "PNG file to write", "scene.png")
    .action(async (file: string | undefined, { size, out, json, ...flags }: RenderFlags) => {
      const scene = await readScene(file, flags);
      const png = await encodePng(render(scene, size), { scene: JSON.stringify(scene) });
      await writeFileAtomic(out, png);
      print(json ? JSON.stringify({ scene, caption: caption(scene), out }) : caption(scene));
    });
}

interface SheetFlags {
  count: number;
  seed: number;
  size: number;
  edition: Edition;
  split: Split;
  heldOut?: boolean;
  quiet?: boolean;
  out: string;
}

/** Renders random scenes, each labelled with one of its captions. */
async function renderCells(
  { count, seed, size, split, edition, heldOut }: SheetFlags,
  { onProgress, signal }: Required<Work>,
): Promise<Parameters<typeof contactSheet>[0]> {
  const random = new Random(seed);
  const cells = [];
  for (let i = 0; i < count; i++) {
    await giveTurn(signal, "the contact sheet");
    const scene = sampleScene(random, { split, edition, combinations: heldOut ? "held out" : "seen" });
    cells.push({ picture: render(scene, size), label: caption(scene, random) });
    onProgress({ phase: "render", done: i + 1, total: count });
  }
  return cells;
}

/** `baret world sheet`. */
export function sheetCommand(): Command {
  return new Command("sheet")
    .description("render a contact sheet of random scenes with their captions")
    .addOption(countOption(36))
    .addOption(seedOption(1))
    .addOption(sizeOption())
    .addOption(editionOption().default(DEFAULT_EDITION))
    .addOption(choiceOption("--split <split>", "split to take scenes from", SPLITS).default("train"))
    .addOption(heldOutOption())
    .addOption(quietOption())
    .option("-o, --out <file>", "PNG file to write", "sheet.png")
    .action(async (flags: SheetFlags) => {
      const cells = await withProgress(flags.quiet ?? false, (work) => renderCells(flags, work));
      await writeFileAtomic(flags.out, await encodePng(contactSheet(cells)));
      print(flags.out);
    });
}
