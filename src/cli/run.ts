import { type Command, CommanderError } from "commander";
import { BaretError, CancelledError, StorageError, UsageError } from "../core/index.ts";
import { storageError } from "../storage/node/index.ts";
import { statusOf } from "./exitStatus.ts";
import { heedInterrupts } from "./interrupt.ts";
import { refuseWrongOptions } from "./options.ts";
import { printable, printableJson } from "./printable.ts";

/** What commander says, as one of our errors. Undefined where it only was asked for help or the version. */
function usageError({ exitCode, message, code }: CommanderError): UsageError | undefined {
  if (exitCode === 0) return undefined;
  const missing = code === "commander.help";
  return new UsageError(missing ? "a command is missing" : message.replace(/^error: /, "").trim(), {
    advice: missing ? undefined : "--help after a command shows what it takes.",
  });
}

const debugging = (): boolean => Boolean(process.env.BARET_DEBUG);

function wordsOf(error: unknown): string {
  const stack = error instanceof Error ? `\n${error.stack}` : "";
  if (error instanceof CancelledError) return "Stopped.";
  if (error instanceof BaretError) return `${error.name}: ${error.message}${debugging() ? stack : ""}`;
  const message = error instanceof Error ? error.message : String(error);
  const advice = debugging() ? stack : "\nThis is a fault of baret. With BARET_DEBUG=1 it shows where.";
  return `Unexpected error: ${message}${advice}`;
}

/** An error as `--json` prints it. */
function errorJson(error: unknown): object {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof BaretError)) return { error: { code: "unexpected", message } };
  const { where, found, expected, advice } = error.details;
  return { error: { code: error.code, message, where, found, expected, advice } };
}

/** Says what went wrong: words on standard error; with --json also an object on standard output. The exit status. */
function report(error: unknown): number {
  process.stderr.write(`${printable(wordsOf(error))}\n`);
  if (process.argv.includes("--json")) process.stdout.write(`${printableJson(errorJson(error))}\n`);
  return statusOf(error);
}

/** A reader that has seen enough is no error; a full disk behind standard output is. */
function heedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EPIPE") return;
      if (stream === process.stdout) report(storageError("cannot be written", "standard output", cause));
      process.exit(1);
    });
  }
}

/** Commander's own messages become ours, and its wish to end the process an exception. */
function guard(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => undefined });
  for (const child of command.commands) guard(child);
}

/** Throws StorageError if the folder that this process works in was deleted: no relative path leads anywhere then. */
function requireWorkingFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    const advice = "Change to a folder that exists.";
    throw new StorageError("the working folder was deleted", { where: process.env.PWD, advice, cause });
  }
}

/** Runs the command that `args` name. Throws UsageError where they are wrong, all options at once, or what it throws. */
export async function runCommand(program: Command, args: readonly string[]): Promise<void> {
  guard(program);
  program.hook("preAction", (_, command) => {
    requireWorkingFolder();
    refuseWrongOptions(command);
  });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    const wrong = error instanceof CommanderError ? usageError(error) : error;
    if (wrong !== undefined) throw wrong;
  }
}

/** Runs the command that the process's arguments name, and sets the process's exit status. */
export async function runProgram(program: Command): Promise<void> {
  heedInterrupts();
  heedOutput();
  try {
    await runCommand(program, process.argv.slice(2));
  } catch (error) {
    process.exitCode = report(error);
  }
}
