// `baret mcp`: assistants edit photos of this machine, over MCP on standard input and output.
// Knows of: the official SDK, tasks, folders that an assistant may use.
// Does not know of: assistants and their models.
import { once } from "node:events";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { Command } from "commander";
import { UsageError } from "../../core/index.ts";
import { untilStopped } from "../interrupt.ts";
import { type ModelFlags, runningOptions, serversOwn } from "../model.ts";
import { repeatedOption } from "../options.ts";
import { serverOptions } from "../remote/index.ts";
import type { Editor } from "./editor.ts";
import { AllowedFolders } from "./folders.ts";
import { LocalEditor } from "./localEditor.ts";
import { RemoteEditor } from "./remoteEditor.ts";
import { editServer } from "./server.ts";

interface McpFlags extends ModelFlags {
  readonly folder?: readonly string[];
  readonly server?: string;
  readonly token?: string;
}

/** `baret mcp`. */
export function mcpCommand(): Command {
  const folder = repeatedOption(
    "--folder <folder>",
    "folder whose photos the assistant may read, and in which it may write; may be repeated; default the working folder",
  );
  return serverOptions(runningOptions(new Command("mcp").addOption(folder)), "edits").action(
    (flags: McpFlags, command: Command) => serve(command, flags),
  );
}

function editorOf(command: Command, { server, token, ...flags }: McpFlags): Editor {
  if (server === undefined) return new LocalEditor(flags);
  const isGiven = (name: string): boolean => command.getOptionValueSource(name) === "cli";
  const wrong = serversOwn.filter(isGiven).map((name) => `--${name}`);
  if (wrong.length > 0) {
    const advice = "Leave the option out, or leave --server out.";
    throw new UsageError("cannot be used with --server, which decides it", { where: wrong.join(", "), advice });
  }
  const { model, size } = flags;
  return new RemoteEditor({
    ...{ server, token },
    ...(isGiven("model") && { model }),
    ...(size && { size: `${size.width}x${size.height}` }),
  });
}

async function serve(command: Command, flags: McpFlags): Promise<void> {
  const folders = await AllowedFolders.open(flags.folder ?? ["."]);
  const editor = editorOf(command, flags);
  await untilStopped("the server", async (signal) => {
    const onerror = (error: Error): void => void process.stderr.write(`MCP: ${error.message}\n`);
    const handle = serveStdio(() => editServer(editor, folders), { onerror });
    try {
      // An assistant ends the server by closing its standard input.
      await Promise.race([once(process.stdin, "close"), once(process.stdin, "end"), aborted(signal)]);
    } finally {
      await handle.close();
      await editor.close();
    }
  });
}

const aborted = (signal: AbortSignal): Promise<unknown> => (signal.aborted ? Promise.resolve() : once(signal, "abort"));
