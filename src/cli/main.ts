#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";
import { pullCommand } from "./pull/index.ts";
import { worldCommand } from "./world/index.ts";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

const program = new Command("baret").version(version).addCommand(worldCommand()).addCommand(pullCommand());
await program.parseAsync();
