#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

const program = new Command("baret").version(version);
await program.parseAsync();
