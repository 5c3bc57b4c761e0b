import { join } from "node:path";
import { Command, Option } from "commander";
import {
  benchmarkPairs,
  DEFAULT_EDITION,
  type Edition,
  editionKey,
  type Split,
  tuningPairs,
} from "../../world/index.ts";
import { writePairs, writeShards } from "../../world/node/index.ts";
import { withProgress } from "../interrupt.ts";
import { choiceOption, quietOption, seedOption } from "../options.ts";
import { print } from "../print.ts";
import { countOption, editionOption, heldOutOption, sizeOption, threadsOption } from "./options.ts";

const sets = { benchmark: benchmarkPairs, tuning: tuningPairs };

interface PairsFlags {
  set: keyof typeof sets;
  edition: Edition;
  size: number;
  quiet?: boolean;
  out: string;
}

const folderOption = (): Option => new Option("-o, --out <folder>", "folder to write to").makeOptionMandatory();

/** `baret world pairs`. */
export function pairsCommand(): Command {
  return new Command("pairs")
    .description("write the fixed before/after pairs: PNGs of before, after and what must not change, and pairs.json")
    .addOption(choiceOption("--set <set>", "set of pairs", ["benchmark", "tuning"]).default("benchmark"))
    .addOption(editionOption().default(DEFAULT_EDITION))
    .addOption(sizeOption())
    .addOption(quietOption())
    .addOption(folderOption())
    .action(async ({ set, edition, size, quiet, out }: PairsFlags) => {
      await withProgress(quiet ?? false, (work) => writePairs(sets[set](edition), size, out, work));
      print(join(out, "pairs.json"));
    });
}

interface ShardsFlags {
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
}

/** `baret world shards`. */
export function shardsCommand(): Command {
  return new Command("shards")
    .description("write training data: pictures as safetensors, captions as JSON lines; keeps finished shards")
    .addOption(countOption(14_000))
    .addOption(seedOption(1))
    .addOption(editionOption().default(DEFAULT_EDITION))
    .addOption(choiceOption("--split <split>", "split to take scenes from", ["train", "validation"]).default("train"))
    .addOption(heldOutOption())
    .option("--portraits", "only portraits")
    .addOption(sizeOption())
    .addOption(threadsOption())
    .addOption(quietOption())
    .addOption(folderOption())
    .action(async ({ edition, heldOut, workers, quiet, out, ...sampling }: ShardsFlags) => {
      const set = { ...editionKey(edition), ...sampling, combinations: heldOut ? ("held out" as const) : undefined };
      const written = await withProgress(quiet ?? false, (work) => writeShards(set, out, workers, work));
      print(`${out}: ${written} shards written`);
    });
}
