#!/usr/bin/env node
import { baretProgram } from "./program.ts";
import { runProgram } from "./run.ts";

await runProgram(baretProgram());
