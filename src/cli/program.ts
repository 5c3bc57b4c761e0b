import { Command } from "commander";
import { version } from "../storage/node.ts";
import { editCommand, invertCommand, sweepCommand } from "./edit/index.ts";
import { generateCommand } from "./generate.ts";
import { methodsCommand } from "./methods.ts";
import { modelsCommand } from "./models.ts";
import { pullCommand } from "./pull/index.ts";
import { worldCommand } from "./world/index.ts";

/** All of baret's commands. */
export const baretProgram = (): Command =>
  new Command("baret")
    .description("edit a photograph from a target sentence alone, by diffusion")
    .version(version)
    .addCommand(editCommand())
    .addCommand(invertCommand())
    .addCommand(sweepCommand())
    .addCommand(generateCommand())
    .addCommand(methodsCommand())
    .addCommand(modelsCommand())
    .addCommand(pullCommand())
    .addCommand(worldCommand());
