import { Command } from "commander";
import { few, type Progress, UsageError } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { loadModel } from "../../diffusion/node/index.ts";
import { methodNamed, methods } from "../../editing/index.ts";
import { chosen, editionOf, experiments, type Report, type RunEvent } from "../../experiments/index.ts";
import {
  type OpenRun,
  openCases,
  openRun,
  type WrittenReport,
  writeReport,
  writeStudy,
} from "../../experiments/node/index.ts";
import { structurePixels } from "../../metrics/index.ts";
import type { MetricNetworks } from "../../metrics/node/index.ts";
import { type LpipsNet, lpipsNets } from "../../models/index.ts";
import { engineChoice } from "../../runtime/index.ts";
import { physicalCores } from "../../runtime/node/index.ts";
import { timeText } from "../../tasks/index.ts";
import { withProgress } from "../interrupt.ts";
import { assignedOptions, assignmentOption } from "../methodOptions.ts";
import { type ModelFlags, modelOptions } from "../model.ts";
import {
  anyText,
  choiceOption,
  givenOptions,
  integer,
  listOption,
  nonEmpty,
  option,
  repeatedOption,
  withExamples,
} from "../options.ts";
import { Reporter } from "../print.ts";

interface Flags extends ModelFlags {
  readonly out: string;
  readonly cases: string;
  readonly limit?: number;
  readonly tunedLimit?: number;
  readonly kinds?: readonly string[];
  readonly methods?: readonly string[];
  readonly jobs: number;
  readonly seed?: number;
  readonly set?: readonly string[];
  readonly retry?: boolean;
  readonly lpips?: readonly string[];
  readonly clip?: string;
  readonly pieClip?: string;
  readonly dino?: string;
  readonly structurePixels?: MetricNetworks["structurePixels"];
}

const nets = Object.keys(lpipsNets).join(", ");

/** Reads texts NET=TRUNK,LINEAR. Throws UsageError. */
const lpipsFiles = (texts: readonly string[] = []): MetricNetworks["lpips"] =>
  Object.fromEntries(
    texts.map((text) => {
      const [, net, trunk, linear] = /^(\w+)=([^,]+),([^,]+)$/.exec(text) ?? [];
      if (!Object.hasOwn(lpipsNets, net ?? "")) {
        throw new UsageError("", { where: "--lpips", found: text, expected: `NET=TRUNK,LINEAR with NET ${nets}` });
      }
      return [net as LpipsNet, { trunk, linear }];
    }),
  );

/** Returns the command that makes one experiment with the same settings, in a folder of its own. */
const commandOf =
  (command: Command) =>
  (name: string): string => {
    const options = givenOptions(command, ["out", "retry", "json", "quiet", "verbose"]);
    return ["npx baret experiments", name, ...options, `-o ${name}`].join(" ");
  };

/** Loads as many models as there are jobs, with an equal share of the threads each, runs `use`, and closes them. */
async function withModels<T>(
  flags: Flags,
  work: Parameters<typeof loadModel>[1],
  use: (models: readonly Model[]) => Promise<T>,
): Promise<T> {
  const { model: name, prediction, variant, jobs } = flags;
  const share = jobs === 1 ? undefined : Math.max(1, Math.floor(physicalCores() / jobs));
  const engine = { ...engineChoice(flags), threads: flags.threads ?? share };
  const models: Model[] = [];
  try {
    for (let k = 0; k < jobs; k++) {
      models.push(await loadModel(name, { prediction, variant, ...engine, ...work }));
    }
    return await use(models);
  } finally {
    for (const model of models) await model.close();
  }
}

/** Shows an event of the run. */
function show(event: RunEvent, onProgress: (progress: Progress) => void, reporter: Reporter): void {
  if (event.type === "failed") {
    reporter.warn(`${event.case}, ${event.what} failed: ${event.error.message}`);
    return;
  }
  if (event.type !== "finished") return;
  const { done, total, secondsLeft, what } = event;
  onProgress({ phase: "experiments", done, total, note: `${event.case} ${what}`, secondsLeft });
}

function printFindings(report: Report, reporter: Reporter): void {
  for (const { name, title, measured, agreement } of report.sections) {
    reporter.result(`${name}: ${title}: ${agreement}`);
    reporter.info(`  ${measured}`);
  }
}

/** Prints what was found, and sets the exit status. */
function conclude(
  { out }: Flags,
  opened: OpenRun,
  report: Report,
  { page: file, missing }: WrittenReport,
  seconds: number,
  reporter: Reporter,
): void {
  if (missing.length > 0) reporter.warn(`pictures are missing in ${out}: ${few(missing)}`);
  printFindings(report, reporter);
  const { jobs, failed } = opened.counts();
  reporter.result(`${file}  ${jobs} edits and measurements, ${failed} failed, ${timeText(seconds)}`);
  reporter.object({ command: "experiments", folder: out, file, jobs, failed, seconds, report });
  if (failed > 0) process.exitCode = 1;
}

async function run(names: readonly string[], flags: Flags, command: Command): Promise<void> {
  const reporter = new Reporter(flags);
  const wanted = names.length === 0 || names.includes("all") ? undefined : names;
  const isAll = flags.methods === undefined || `${flags.methods}` === "all";
  const named = isAll ? methods() : [...new Set(flags.methods)].map(methodNamed);
  const seeded = flags.seed !== undefined && named.some(({ needs }) => needs.randomSeed);
  const texts = [...(seeded ? [`seed=${flags.seed}`] : []), ...(flags.set ?? [])];
  const options = assignedOptions(texts, named, (message) => reporter.warn(message));
  const variants = named.map((method) => ({ name: method.name, method, ...options.get(method)! }));
  const found = await openCases(flags.cases);
  const choice = { limit: flags.limit, kinds: flags.kinds };
  chosen(found, choice); // What is wrong with it is said before a model is loaded.
  const { clip, pieClip, dino, structurePixels } = flags;
  const lpips = lpipsFiles(flags.lpips);
  await withProgress(flags.quiet ?? false, (work) =>
    withModels(flags, work, async (models) => {
      const set = found.inEdition?.(editionOf(models[0])) ?? found;
      const cases = chosen(set, choice);
      const opened = await openRun({
        folder: flags.out,
        names: wanted,
        set,
        cases,
        models,
        variants,
        tunedLimit: flags.tunedLimit,
        networks: { lpips, clip, pieClip, dino, structurePixels },
        size: flags.size,
        retries: flags.retry,
        signal: work.signal,
      });
      try {
        for (const { name, why } of opened.leftOut) reporter.info(`${name} is left out: ${why}.`);
        for (const { message } of opened.warnings) reporter.warn(message);
        const began = performance.now();
        let isStopped = true;
        try {
          for await (const event of opened.run(work.signal)) show(event, work.onProgress, reporter);
          const report = await opened.report(commandOf(command));
          const study = opened.study();
          if (study) await writeStudy(flags.out, study);
          const written = await writeReport(flags.out, report, work);
          isStopped = false;
          conclude(flags, opened, report, written, (performance.now() - began) / 1000, reporter);
        } finally {
          if (isStopped)
            reporter.info(`What is finished is kept in ${flags.out}. Run the same command again to go on.`);
        }
      } finally {
        await opened.close();
      }
    }),
  );
}

export function experimentsCommand(): Command {
  const known = experiments.map(({ name }) => name).join(", ");
  const command = new Command("experiments")
    .description(
      "run the paper's tables and figures on cases, and write a report. What is finished is kept, so the same command goes " +
        "on where it was stopped",
    )
    .argument("[names...]", `experiments: all, or some of ${known}`)
    .optionsGroup("Cases:")
    .addOption(
      option(
        "--cases <source>",
        "benchmark or tuning (pairs of the model's edition of the Menagerie, with their true results), benchmark-N or tuning-N " +
          "(pairs of edition N), or a folder: docs/cases.md",
        nonEmpty("a set or a folder"),
      ).default("benchmark"),
    )
    .addOption(option("--limit <n>", "cases at most, spread evenly over the kinds", integer(1, 100_000)))
    .addOption(listOption("--kinds <names>", "kinds of cases, separated by commas, default all"))
    .optionsGroup("Methods:")
    .addOption(listOption("--methods <names>", "methods, separated by commas, or all, the default"))
    .addOption(
      option(
        "--tuned-limit <n>",
        "cases at most of a method that tunes weights, which takes long, default a quarter of the cases",
        integer(1, 100_000),
      ),
    )
    .addOption(assignmentOption())
    .addOption(
      option("--seed <n>", "seed of the methods that draw random numbers", integer(0, Number.MAX_SAFE_INTEGER)),
    )
    .optionsGroup("Metrics:")
    .addOption(
      repeatedOption(
        "--lpips <net=trunk,linear>",
        `networks of LPIPS (${nets}): files of the trunk and of the linear weights; may be repeated (docs/metrics.md)`,
      ),
    )
    .addOption(option("--clip <folder|name>", "CLIP model for CLIPScore, such as clip (baret pull clip)", anyText))
    .addOption(option("--pie-clip <folder|name>", "PIE-Bench's CLIP model, openai/clip-vit-large-patch14", anyText))
    .addOption(option("--dino <file>", "DINO's ViT-B/8 in safetensors, for the structure distance", anyText))
    .addOption(
      choiceOption(
        "--structure-pixels <how>",
        "pixels for DINO: as PIE-Bench's program makes them, the default, or as DINO was trained",
        structurePixels,
      ),
    )
    .optionsGroup("Run:")
    .addOption(option("-o, --out <folder>", "folder of the run", nonEmpty("a folder")).default("experiments"))
    .addOption(option("--jobs <n>", "cases at the same time, each with a model of its own", integer(1, 64)).default(1))
    .option("--retry", "do again what has failed");
  withExamples(
    command,
    "baret experiments all --limit 8",
    "baret experiments fig8 truth --methods baret,plain,null-text",
    "baret experiments --cases photos/ --model sd1.5 --clip clip --lpips alex=alexnet.safetensors,alex.pth",
  );
  return modelOptions(command).action(run);
}
