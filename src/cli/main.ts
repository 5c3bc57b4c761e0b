#!/usr/bin/env node
import { Command } from "commander";
import { editCommand, invertCommand, sweepCommand } from "./edit/index.ts";
import { generateCommand } from "./generate.ts";
import { modelsCommand } from "./models.ts";
import { pullCommand } from "./pull/index.ts";
import { runProgram } from "./run.ts";
import { version } from "./version.ts";
import { worldCommand } from "./world/index.ts";

const program = new Command("baret")
  .description("edit a photograph from a target sentence alone, by diffusion")
  .version(version)
  .addCommand(editCommand())
  .addCommand(invertCommand())
  .addCommand(sweepCommand())
  .addCommand(generateCommand())
  .addCommand(modelsCommand())
  .addCommand(pullCommand())
  .addCommand(worldCommand());
await runProgram(program);
