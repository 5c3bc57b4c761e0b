import { once } from "node:events";
import { join } from "node:path";
import { Command, Option } from "commander";
import { BaretError, UsageError } from "../core/index.ts";
import { type EngineChoice, engineChoice } from "../runtime/index.ts";
import { type Server, type ServerOptions, startServer } from "../server/node/index.ts";
import { dataFolder } from "../storage/node/index.ts";
import { untilStopped } from "./interrupt.ts";
import { engineOptions } from "./model.ts";
import { openPage } from "./openPage.ts";
import {
  integer,
  jsonOption,
  nonEmpty,
  type OptionType,
  option,
  quietOption,
  repeatedOption,
  withExamples,
} from "./options.ts";
import { note, print, printJson } from "./print.ts";
import { reportWork } from "./workerLines.ts";

interface Flags extends EngineChoice {
  readonly port?: number;
  readonly host: string;
  readonly token?: string;
  readonly allowedHost?: readonly string[];
  readonly cors?: readonly string[];
  readonly model?: readonly string[];
  readonly data?: string;
  readonly database?: string;
  readonly blobs?: string;
  readonly work: boolean;
  readonly maxQueued?: number;
  readonly open: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** A name as a request's Host has it, without a port. */
const hostName: OptionType<string> = {
  expected: "a name alone, such as photos.example.org",
  read: (text) => (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text) ? text : undefined),
};

/** An origin as browsers send it: no path, and a port only if it is not the scheme's own. */
const siteOrigin: OptionType<string> = {
  expected: "http:// or https:// and a name, without a path, such as https://example.org",
  read: (text) => {
    if (!URL.canParse(text)) return undefined;
    const { protocol, origin } = new URL(text);
    return /^https?:$/.test(protocol) && (text === origin || text === `${origin}/`) ? origin : undefined;
  },
};

/** The port that is tried first. If another program has it, the next ones are tried. */
const [FIRST_PORT, PORTS] = [7878, 20];

/** Starts a server at the given port, or at the first free one. */
async function start(options: Omit<ServerOptions, "port">, port: number | undefined): Promise<Server> {
  if (port !== undefined) return startServer({ ...options, port });
  for (let tried = FIRST_PORT; ; tried++) {
    try {
      return await startServer({ ...options, port: tried });
    } catch (error) {
      const isTaken = error instanceof UsageError && (error.cause as NodeJS.ErrnoException)?.code === "EADDRINUSE";
      if (!isTaken || tried === FIRST_PORT + PORTS) throw error;
    }
  }
}

/** Prints an error that is the server's own. The server goes on. */
function reportFault(error: unknown): void {
  const text = error instanceof BaretError ? error.message : error instanceof Error ? error.stack : String(error);
  note(`${new Date().toISOString()} fault: ${text}`);
}

async function run(flags: Flags): Promise<void> {
  const { port, host, token, allowedHost, cors, model = ["menagerie"], data, database, blobs } = flags;
  if (database !== undefined && blobs === undefined) {
    throw new UsageError("machines that share a database must share photos and results too", {
      where: "--blobs",
      found: "nothing",
      expected: "a folder that all machines share, or s3://BUCKET/PREFIX",
    });
  }
  await untilStopped("the server", async (signal) => {
    const options = {
      ...{ models: model, folder: data ?? join(dataFolder(), "server"), database, blobs, address: host, token },
      ...{ hosts: allowedHost, origins: cors, works: flags.work, ...engineChoice(flags), queuedJobs: flags.maxQueued },
      onWorkerEvent: (event: Parameters<typeof reportWork>[0]) => reportWork(event, flags),
      onFault: reportFault,
    };
    const server = await start(options, port);
    try {
      announce(server, flags);
      if (flags.open) await openPage(server.url);
      await server.ready;
      if (!flags.quiet && !flags.json) note("Ready for edits.");
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      const isAsked = signal.aborted && !flags.quiet && !flags.json;
      if (isAsked) note("Stopping. Queued jobs go on when the server starts again.");
      await server.close();
    }
  });
}

function announce({ url, token }: Server, { host, json, quiet }: Flags): void {
  if (json) printJson({ url, token });
  else print(url);
  if (quiet || json) return;
  note("This is the studio's address. Ctrl-C stops the server.");
  if (["0.0.0.0", "::"].includes(host)) {
    note("On other machines, write this machine's address in digits in place of localhost.");
  }
}

/** `baret serve`. */
export function serveCommand(): Command {
  const command = new Command("serve")
    .description(
      "open the studio in the browser, and serve edits to other programs: the OpenAI client, AUTOMATIC1111's clients, " +
        "baret edit --server. Answers this machine alone, unless --host says otherwise",
    )
    .addOption(
      option("--port <n>", `port; 0: any free one; default ${FIRST_PORT}, or the next free one`, integer(0, 65_535)),
    )
    .addOption(new Option("--no-open", "do not open the studio in a browser"))
    .addOption(repeatedOption("--model <name|path>", "model to offer; may be given several times; default menagerie"));
  withExamples(
    command,
    "baret serve",
    "baret serve --model menagerie --model sd1.5 --device cuda",
    "baret serve --host 0.0.0.0 --no-open",
  );
  return engineOptions(command)
    .optionsGroup("Other machines:")
    .addOption(
      option(
        "--host <address>",
        "network address to listen on, such as 0.0.0.0; an address that other machines can reach needs a token",
        nonEmpty("an address"),
      ).default("127.0.0.1"),
    )
    .addOption(
      option(
        "--token <text>",
        "serve only clients that have it; made and printed if --host needs one",
        nonEmpty("a token"),
      ),
    )
    .addOption(
      repeatedOption("--allowed-host <name>", "name under which the server answers besides localhost", hostName),
    )
    .addOption(
      repeatedOption("--cors <origin>", "site whose pages may use the server, such as https://example.org", siteOrigin),
    )
    .optionsGroup("Queue:")
    .addOption(
      option(
        "--data <folder>",
        "folder of the queue and the results; default baret's data folder",
        nonEmpty("a folder"),
      ),
    )
    .addOption(
      option(
        "--database <url>",
        "Postgres database for a queue that many machines share: postgres://USER:PASSWORD@HOST/NAME",
        nonEmpty("a URL"),
      ),
    )
    .addOption(
      option(
        "--blobs <place>",
        "photos and results: a folder, or s3://BUCKET/PREFIX",
        nonEmpty("a folder or s3://BUCKET"),
      ),
    )
    .addOption(new Option("--no-work", "only queue jobs; baret worker runs them"))
    .addOption(option("--max-queued <n>", "most waiting jobs of one client; default 50", integer(1, 1_000_000)))
    .optionsGroup("Output:")
    .addOption(jsonOption())
    .addOption(quietOption())
    .action((flags: Flags) => run(flags));
}
