import { Command } from "commander";

/** One of baret's commands. Its file is imported only if the arguments name it, so that help starts fast. */
interface Entry {
  readonly name: string;
  readonly about: string;
  readonly load: () => Promise<Command>;
}

const entries: readonly Entry[] = [
  {
    name: "edit",
    about: "edit photos to match a target prompt",
    load: async () => (await import("./edit/index.ts")).editCommand(),
  },
  {
    name: "invert",
    about: "prepare a photo for a prompt, once for any number of edits; a stopped command resumes",
    load: async () => (await import("./edit/index.ts")).invertCommand(),
  },
  {
    name: "sweep",
    about: "edit one photo with many settings, as a labelled sheet",
    load: async () => (await import("./edit/index.ts")).sweepCommand(),
  },
  {
    name: "compare",
    about: "edit photos with several methods, as a labelled sheet and a table of time, cost and likeness",
    load: async () => (await import("./edit/index.ts")).compareCommand(),
  },
  {
    name: "attention",
    about: "show where a photo, or its edit, attends to the words of a prompt",
    load: async () => (await import("./edit/index.ts")).attentionCommand(),
  },
  {
    name: "experiments",
    about: "run the paper's tables and figures, and write a report",
    load: async () => (await import("./experiments/index.ts")).experimentsCommand(),
  },
  {
    name: "mcp",
    about: "let an assistant edit photos of this machine, over MCP on standard input and output",
    load: async () => (await import("./mcp/index.ts")).mcpCommand(),
  },
  {
    name: "serve",
    about: "open the studio in the browser, and serve edits to other programs",
    load: async () => (await import("./serve.ts")).serveCommand(),
  },
  {
    name: "site",
    about: "write the studio as a static site that edits in the browser, without a server",
    load: async () => (await import("./site.ts")).siteCommand(),
  },
  {
    name: "generate",
    about: "generate pictures from prompts",
    load: async () => (await import("./generate.ts")).generateCommand(),
  },
  {
    name: "methods",
    about: "list the editing methods: paper, needs, options with defaults and ranges",
    load: async () => (await import("./methods.ts")).methodsCommand(),
  },
  {
    name: "models",
    about: "list the installed models, or describe the given ones",
    load: async () => (await import("./models.ts")).modelsCommand(),
  },
  {
    name: "pull",
    about: "download a Stable Diffusion model, or a CLIP model that scores edits",
    load: async () => (await import("./pull/index.ts")).pullCommand(),
  },
  {
    name: "cache",
    about: "show, limit or clear the files that baret stores on this disk",
    load: async () => (await import("./cache.ts")).cacheCommand(),
  },
  {
    name: "doctor",
    about: "show what each device of this machine can do, how fast it is, and what to do if it cannot be used",
    load: async () => (await import("./doctor.ts")).doctorCommand(),
  },
  {
    name: "cuda",
    about: "install or remove the libraries for NVIDIA GPUs",
    load: async () => (await import("./cuda.ts")).cudaCommand(),
  },
  {
    name: "worker",
    about: "run jobs of a queue that many machines share",
    load: async () => (await import("./worker.ts")).workerCommand(),
  },
  {
    name: "completion",
    about: "print a script that completes commands and options in a shell",
    load: async () =>
      (await import("./completion.ts")).completionCommand(() =>
        Promise.all(entries.filter(({ name }) => name !== "completion").map(({ load }) => load())),
      ),
  },
  {
    name: "world",
    about: "render the Menagerie: scenes, contact sheets, before/after pairs, training data",
    load: async () => (await import("./world/index.ts")).worldCommand(),
  },
];

const versionFlags = ["-V", "--version"];

/** Returns the program. It lists all commands but loads only those that `args` name. */
export async function baretProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("baret")
    .description("edit a photo from a target prompt alone, by diffusion")
    .addHelpText("after", '\n"baret COMMAND --help" shows the options of a command.');
  const asksVersion = args.some((arg) => versionFlags.includes(arg));
  program.version(asksVersion ? (await import("../core/index.ts")).version : "");
  // Options after the name of a command are its own, also if a command above it has options of the same names.
  program.enablePositionalOptions(!asksVersion);
  for (const { name, about, load } of entries) {
    const command = args.includes(name) ? await load() : new Command(name);
    program.addCommand(command.summary(about).description(command.description() || about));
  }
  return program;
}

/** Tells if `args` ask for the list of commands only. */
export const asksHelp = (args: readonly string[]): boolean =>
  args.length === 1 && ["-h", "--help", "help"].includes(args[0]);
