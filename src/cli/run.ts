import { type Command, CommanderError } from "commander";
import { BaretError, CancelledError, StorageError, UsageError } from "../core/index.ts";
import { storageError } from "../storage/node/index.ts";
import { statusOf } from "./exitStatus.ts";
import { handleInterrupts } from "./interrupt.ts";
import { nameFlags, refuseWrongOptions } from "./options.ts";
import { printable, printableJson } from "./printable.ts";

/** Converts an error of commander to a UsageError. command: the one named. Returns undefined if help or the version was asked for. */
function usageError({ exitCode, message, code }: CommanderError, command?: Command): UsageError | undefined {
  if (exitCode === 0) return undefined;
  if (code === "commander.help") return new UsageError("a command is missing");
  const [problem, similar] = message
    .replace(/^error: /, "")
    .trim()
    .split(/\s*\n\((Did you mean .*)\)$/);
  const [, name] = /^unknown option '--([\w-]+)/.exec(problem) ?? [];
  const takesSet = name !== undefined && command?.options.some(({ long }) => long === "--set");
  const advice = [
    ...(similar ? [similar] : []),
    ...(takesSet
      ? [`If it is an option of a method, write it as --set ${name}=VALUE or --set METHOD.${name}=VALUE.`]
      : []),
    "Add --help to a command to see its arguments and options.",
  ];
  return new UsageError(problem, { advice: advice.join("\n") });
}

function errorText(error: unknown): string {
  const isDebugging = Boolean(process.env.BARET_DEBUG);
  const stack = error instanceof Error ? `\n${error.stack}` : "";
  if (error instanceof CancelledError) return "Stopped.";
  if (error instanceof BaretError) return `${error.name}: ${error.message}${isDebugging ? stack : ""}`;
  const message = error instanceof Error ? error.message : String(error);
  const advice = isDebugging ? stack : "\nThis is a bug in baret. Set BARET_DEBUG=1 to see the stack.";
  return `Unexpected error: ${message}${advice}`;
}

/** Returns an error as --json prints it. */
function errorJson(error: unknown): object {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof BaretError)) return { error: { code: "unexpected", message } };
  const { where, found, expected, advice } = error.details;
  return { error: { code: error.code, message, where, found, expected, advice } };
}

/** Prints an error on standard error, with --json also as an object on standard output. Returns the exit status. */
export function printError(error: unknown): number {
  process.stderr.write(`${printable(errorText(error))}\n`);
  if (process.argv.includes("--json")) process.stdout.write(`${printableJson(errorJson(error))}\n`);
  return statusOf(error);
}

/** Ignores a closed pipe behind standard output, as of `| head`. Reports any other failure, such as a full disk. */
function handleOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EPIPE") return;
      if (stream === process.stdout) printError(storageError("cannot be written", "standard output", cause));
      process.exit(1);
    });
  }
}

/** Makes commander throw its errors instead of printing them and ending the process. */
function throwErrors(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => undefined });
  for (const child of command.commands) throwErrors(child);
}

/** Throws StorageError if the working folder was deleted, since no relative path can then be opened. */
function requireWorkingFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    const advice = "Change to a folder that exists.";
    throw new StorageError("the working folder was deleted", { where: process.env.PWD, advice, cause });
  }
}

/** Runs the command that `args` name. Throws one UsageError that lists all wrong options, and the errors of the command. */
export async function runCommand(program: Command, args: readonly string[]): Promise<void> {
  throwErrors(program);
  const named = program.commands.find((command) => command.name() === args[0]);
  let running: Command | undefined;
  program.hook("preAction", (_, command) => {
    running = command;
    requireWorkingFolder();
    refuseWrongOptions(command);
  });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    const wrong = error instanceof CommanderError ? usageError(error, named) : error;
    if (running && wrong instanceof UsageError) nameFlags(running, wrong);
    if (wrong !== undefined) throw wrong;
  }
}

/** Runs the command that the process's arguments name and sets the exit status of the process. */
export async function runProgram(program: Command): Promise<void> {
  handleInterrupts();
  handleOutputErrors();
  try {
    await runCommand(program, process.argv.slice(2));
  } catch (error) {
    process.exitCode = printError(error);
  }
}
