import type { Command } from "commander";
import { CancelledError, few, UsageError, version, type Work } from "../../core/index.ts";
import type { ModelDescription } from "../../server/index.ts";
import { connect, pause, type ServerClient } from "../../server/index.ts";
import { withProgress } from "../interrupt.ts";
import type { ModelFlags } from "../model.ts";
import { note, type Reporter } from "../print.ts";
import type { ServerFlags } from "./options.ts";

/** How long a lost server is waited for in the middle of a job, in milliseconds. */
const PATIENCE_MS = 120_000;
/** Time between two looks at a server that is starting. */
const STARTING_MS = 500;

/** A server that is ready, and the model that it uses. */
export interface Session {
  readonly client: ServerClient;
  /** The server's address, as it was given. */
  readonly url: string;
  readonly model: ModelDescription;
  readonly work: Required<Work>;
  /** Prints a line for the user, unless the command is quiet. */
  readonly tell: (text: string) => void;
}

/** Waits for the server to be ready, and finds the model. Throws CancelledError after Ctrl-C, and errors of the server. */
export async function withServer(
  command: Command,
  flags: ModelFlags & ServerFlags & { readonly server: string },
  reporter: Reporter,
  use: (session: Session) => Promise<void>,
): Promise<void> {
  // The token of a pasted address is no part of what is shown.
  const url = flags.server.replace(/#.*$/, "");
  const tell = flags.quiet ? () => undefined : note;
  const client = openClient(flags, ({ message }) =>
    tell(`${message.split("\n")[0]} Waiting up to ${PATIENCE_MS / 1000} s for it to come back.`),
  );
  await withProgress(flags.quiet ?? false, async (work) => {
    try {
      const { models, version: theirs } = await readyCapabilities(client, work.signal);
      if (theirs !== version) reporter.warn(`${url} runs baret ${theirs}, this is ${version}: pictures may differ`);
      await use({ client, url, model: modelOf(command, flags, models), work, tell });
    } catch (error) {
      if (work.signal.aborted && !(error instanceof CancelledError)) throw new CancelledError("the work", error);
      throw error;
    }
  });
}

/** Opens a client that waits for a lost server. */
export const openClient = (
  { server, token }: ServerFlags & { readonly server: string },
  onLost?: (error: Error) => void,
): ServerClient => connect(server, { token, patienceMs: PATIENCE_MS, isPatient: true, onLost });

/** Returns what a server offers. Waits while it is starting. */
export async function readyCapabilities(client: ServerClient, signal: AbortSignal) {
  for (;;) {
    const found = await client.capabilities(signal);
    if (found.ready) return found;
    await pause(STARTING_MS, signal);
  }
}

/** Returns the model that --model names, else the server's default. */
function modelOf(command: Command, flags: ModelFlags, models: readonly ModelDescription[]): ModelDescription {
  if (command.getOptionValueSource("model") === "default") return models[0];
  const found = models.find(({ name }) => name === flags.model);
  if (found) return found;
  throw new UsageError("the server does not offer this model", {
    where: "--model",
    found: flags.model,
    expected: few(models.map(({ name }) => name)),
  });
}
