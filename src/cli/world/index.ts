// `baret world`: pictures, contact sheets, pairs and training data of the Menagerie.
// Knows of: world, image, storage.
// Does not know of: models, other commands.
import { Command } from "commander";
import { knownWords } from "../../world/index.ts";
import { withExamples } from "../options.ts";
import { print } from "../print.ts";
import { pairsCommand, shardsCommand } from "./dataSets.ts";
import { renderCommand, sheetCommand } from "./pictures.ts";

export function worldCommand(): Command {
  const command = withExamples(
    new Command("world"),
    'baret world render --animal dog --pose "lying down" --place beach -o dog.png',
    "baret world sheet --count 36 --seed 2",
    "baret world pairs --set tuning -o pairs",
  );
  return command
    .addCommand(renderCommand())
    .addCommand(sheetCommand())
    .addCommand(pairsCommand())
    .addCommand(shardsCommand())
    .addCommand(
      new Command("words")
        .description("print every word that a caption may contain, and the nearest of them to other words, as JSON")
        .action(() => print(JSON.stringify(knownWords(), undefined, 2))),
    );
}
