import type { Command } from "commander";
import { few, UsageError } from "../../core/index.ts";
import { serversOwn } from "../model.ts";
import { nonEmpty, option } from "../options.ts";

export interface ServerFlags {
  readonly server?: string;
  readonly token?: string;
}

/** Adds the options that let a server do the work. made: what it makes, for help. */
export const serverOptions = (command: Command, made: "pictures" | "edits" = "pictures"): Command =>
  command
    .optionsGroup("Server:")
    .addOption(option("--server <url>", `let a running baret serve make the ${made}`, nonEmpty("a URL")))
    .addOption(
      option("--token <text>", "the server's token, if it needs one; default BARET_TOKEN", nonEmpty("a token")).env(
        "BARET_TOKEN",
      ),
    );

/** Options that the server decides, or that need the files of this machine. */
const ownOptions: Readonly<Record<string, string>> = {
  ...Object.fromEntries(serversOwn.map((name) => [name, `--${name}`])),
  scorer: "--scorer",
  saveInversion: "--save-inversion",
  clip: "--clip",
  cache: "--no-cache",
};

/** Throws UsageError if an option is given that has no effect on a server, or if a photo is prepared. */
export function refuseOnServer(command: Command, prepared: readonly string[]): void {
  const given = Object.entries(ownOptions).flatMap(([name, flag]) =>
    command.getOptionValueSource(name) === "cli" ? [flag] : [],
  );
  if (given.length > 0) {
    throw new UsageError("cannot be used with --server: the server chooses engine and scorers, and keeps inversions", {
      where: given.join(", "),
      advice: "Leave the option out, or leave --server out.",
    });
  }
  if (prepared.length > 0) {
    throw new UsageError("a server takes photos, not prepared photos: it keeps its own inversions", {
      where: "--server",
      found: few(prepared),
      advice: "Give the photo, or leave --server out.",
    });
  }
}
