import { once } from "node:events";
import { Command, Option } from "commander";
import { throwIfCancelled } from "../../core/index.ts";
import { type RatingResults, raterSchema, ratingBlocks, ratingResults } from "../../experiments/index.ts";
import { type RatingServer, readRaters, readStudy, serveRating } from "../../experiments/node/index.ts";
import { withProgress } from "../interrupt.ts";
import { openPage } from "../openPage.ts";
import { integer, jsonOption, type OptionType, option, quietOption, seedOption } from "../options.ts";
import { note, print, printJson } from "../print.ts";
import { blockText } from "./blockText.ts";

interface RateFlags {
  port: number;
  rater?: string;
  seed: number;
  limit?: number;
  open: boolean;
  results?: boolean;
  json?: boolean;
  quiet?: boolean;
}

const raterName: OptionType<string> = {
  expected: "1 to 40 letters, digits, - and _",
  read: (text) => raterSchema.safeParse(text).data,
};

/** `baret experiments rate`. */
export function rateCommand(): Command {
  return new Command("rate")
    .description("let people rate the edits of a folder on a local page, blind; or print the results")
    .argument("<folder>", "a run's folder, or any folder with rating.json")
    .addOption(option("--port <n>", "port of the page; default any free one", integer(0, 65_535)).default(0))
    .addOption(option("--rater <name>", "only this rater; default whoever gives a name on the page", raterName))
    .addOption(seedOption(0, "seed of the order of the questions, which differs from rater to rater"))
    .addOption(option("--limit <n>", "most questions of a rater in each mode; default all", integer(1, 1_000_000)))
    .addOption(new Option("--no-open", "do not open the page in a browser"))
    .addOption(new Option("--results", "print what the raters answered, and serve no page"))
    .addOption(jsonOption())
    .addOption(quietOption())
    .action((folder: string, flags: RateFlags) => (flags.results ? showResults(folder, flags) : serve(folder, flags)));
}

async function showResults(folder: string, { json }: RateFlags): Promise<void> {
  const study = await readStudy(folder);
  const results: RatingResults = ratingResults(study, await readRaters(folder));
  if (json) return printJson(results);
  // The tables have all figures of the charts.
  const blocks = ratingBlocks(results).filter(({ type }) => type !== "chart");
  print(blocks.map(blockText).join("\n\n"));
}

async function serve(folder: string, { open: isOpened, json, quiet, ...options }: RateFlags): Promise<void> {
  await withProgress(quiet ?? false, async ({ signal }) => {
    const server = await serveRating(folder, { ...options, signal });
    try {
      announce(server, { json, quiet });
      if (isOpened) await openPage(server.url);
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      await server.close();
    }
    throwIfCancelled(signal, "the rating");
  });
}

function announce({ url, photos, edits }: RatingServer, { json, quiet }: Pick<RateFlags, "json" | "quiet">): void {
  if (json) printJson({ url, photos, edits });
  else print(url);
  if (!quiet)
    note(`${edits} edits of ${photos} photos. Answers are saved at once, in ratings/. Ctrl-C stops the page.`);
}
