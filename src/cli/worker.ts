import { hostname } from "node:os";
import { Command } from "commander";
import { formatBytes } from "../core/index.ts";
import { type EngineChoice, engineChoice } from "../runtime/index.ts";
import { describeModels, openBlobs, openQueue, runnerModels, startWorker } from "../server/node/index.ts";
import { untilStopped } from "./interrupt.ts";
import { engineOptions } from "./model.ts";
import { jsonOption, nonEmpty, option, quietOption, repeatedOption, withExamples } from "./options.ts";
import { note } from "./print.ts";
import { reportWork } from "./workerLines.ts";

interface Flags extends EngineChoice {
  readonly database: string;
  readonly blobs: string;
  readonly model?: readonly string[];
  readonly name?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

async function run(flags: Flags): Promise<void> {
  const { database, blobs: place, model: names = ["menagerie"], json, quiet } = flags;
  const { name = `${hostname()}-${process.pid}` } = flags;
  await untilStopped("the worker", async (signal) => {
    const descriptions = await describeModels(names);
    const models = await runnerModels(names, descriptions);
    const blobs = await openBlobs(place);
    const queue = await openQueue({ database });
    try {
      if (!quiet && !json) {
        const offered = models.map(
          (one) => `${one.name}${one.memory === undefined ? "" : ` (${formatBytes(one.memory)})`}`,
        );
        note(`Worker ${name} waits for jobs of ${offered.join(", ")}. Ctrl-C returns its job to the queue.`);
      }
      const onEvent = (event: Parameters<typeof reportWork>[0]): void => reportWork(event, flags);
      await startWorker({ queue, blobs, models, name, ...engineChoice(flags), signal, onEvent }).stopped;
    } finally {
      await queue.close();
    }
  });
}

/** `baret worker`. */
export function workerCommand(): Command {
  const command = new Command("worker")
    .description(
      "run jobs of a queue in a Postgres database, on any number of machines. If a worker dies, another one goes on from " +
        "the steps that it has stored",
    )
    .addOption(
      option(
        "--database <url>",
        "database of the queue: postgres://USER:PASSWORD@HOST/NAME",
        nonEmpty("a URL"),
      ).makeOptionMandatory(),
    )
    .addOption(
      option(
        "--blobs <place>",
        "photos and results: a folder that all machines share, or s3://BUCKET/PREFIX",
        nonEmpty("a folder or s3://BUCKET"),
      ).makeOptionMandatory(),
    )
    .addOption(repeatedOption("--model <name|path>", "model to run; may be given several times; default menagerie"))
    .addOption(option("--name <name>", "name of this worker; default machine and process", nonEmpty("a name")));
  withExamples(
    command,
    "baret worker --database postgres://baret:secret@db/baret --blobs s3://photos/baret",
    "baret worker --database postgres://baret:secret@db/baret --blobs /mnt/baret --model sd1.5 --device cuda",
  );
  return engineOptions(command)
    .addOption(jsonOption())
    .addOption(quietOption())
    .action((flags: Flags) => run(flags));
}
