// `baret experiments`: the paper's tables and figures, their reports, and people's ratings.
// Knows of: experiments, models.
// Does not know of: other commands.
import type { Command } from "commander";
import { diffCommand } from "./diff.ts";
import { rateCommand } from "./rate.ts";
import { experimentsCommand as withRun } from "./run.ts";

/** Returns the command that runs experiments, with its subcommands. Options after a subcommand's name are its own. */
export const experimentsCommand = (): Command =>
  withRun().enablePositionalOptions().addCommand(diffCommand()).addCommand(rateCommand());
