import { Command } from "commander";

/** One of baret's commands. Its file is imported only if it is named, so that help is there at once. */
interface Entry {
  readonly name: string;
  readonly about: string;
  readonly load: () => Promise<Command>;
}

const entries: readonly Entry[] = [
  {
    name: "edit",
    about: "edit photos so that they show what a prompt says",
    load: async () => (await import("./edit/index.ts")).editCommand(),
  },
  {
    name: "invert",
    about: "prepare a photo for a prompt, once for any number of edits; goes on where it was stopped",
    load: async () => (await import("./edit/index.ts")).invertCommand(),
  },
  {
    name: "sweep",
    about: "edit one photo in many ways, as a labelled sheet",
    load: async () => (await import("./edit/index.ts")).sweepCommand(),
  },
  {
    name: "attention",
    about: "show where a photo, or its edit, attends to the words of a prompt",
    load: async () => (await import("./edit/index.ts")).attentionCommand(),
  },
  {
    name: "generate",
    about: "make pictures of prompts, from noise",
    load: async () => (await import("./generate.ts")).generateCommand(),
  },
  {
    name: "methods",
    about: "list the editing methods: paper, needs, options with defaults and ranges",
    load: async () => (await import("./methods.ts")).methodsCommand(),
  },
  {
    name: "models",
    about: "list the models that are found, or say what the given ones are",
    load: async () => (await import("./models.ts")).modelsCommand(),
  },
  {
    name: "pull",
    about: "fetch a Stable Diffusion model into the cache",
    load: async () => (await import("./pull/index.ts")).pullCommand(),
  },
  {
    name: "cache",
    about: "show what baret keeps on this disk, limit it, or remove it",
    load: async () => (await import("./cache.ts")).cacheCommand(),
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

/** The program. Commands that `args` do not name are listed, but not loaded. */
export async function baretProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("baret")
    .description("edit a photo from a target prompt alone, by diffusion")
    .addHelpText("after", '\n"baret COMMAND --help" shows the options of a command.');
  const asksVersion = args.some((arg) => versionFlags.includes(arg));
  program.version(asksVersion ? (await import("../storage/node/index.ts")).version : "");
  for (const { name, about, load } of entries) {
    const command = args.includes(name) ? await load() : new Command(name);
    program.addCommand(command.summary(about).description(command.description() || about));
  }
  return program;
}

/** Whether `args` ask for nothing but the list of commands. */
export const asksHelp = (args: readonly string[]): boolean =>
  args.length === 1 && ["-h", "--help", "help"].includes(args[0]);
