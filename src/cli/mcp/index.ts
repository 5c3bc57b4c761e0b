// `baret mcp`: assistants edit photos of this machine, over MCP on standard input and output.
// Knows of: the official SDK, tasks, folders that an assistant may use.
// Does not know of: assistants and their models.
import { once } from "node:events";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { Command, Option } from "commander";
import { throwIfCancelled } from "../../core/index.ts";
import { withProgress } from "../interrupt.ts";
import { type ModelFlags, runningOptions } from "../model.ts";
import { AllowedFolders } from "./folders.ts";
import { LocalEditor } from "./localEditor.ts";
import { editServer } from "./server.ts";

interface McpFlags extends ModelFlags {
  readonly folder?: readonly string[];
}

/** `baret mcp`. */
export function mcpCommand(): Command {
  const folder = new Option(
    "--folder <folder>",
    "folder whose photos the assistant may read, and in which it may write; may be repeated; default the working folder",
  ).argParser((text: string, before: readonly string[] = []) => [...before, text]);
  return runningOptions(new Command("mcp").addOption(folder)).action(serve);
}

async function serve(flags: McpFlags): Promise<void> {
  const folders = await AllowedFolders.open(flags.folder ?? ["."]);
  const editor = new LocalEditor(flags);
  await withProgress(true, async ({ signal }) => {
    const onerror = (error: Error): void => void process.stderr.write(`MCP: ${error.message}\n`);
    const handle = serveStdio(() => editServer(editor, folders), { onerror });
    try {
      // An assistant ends the server by closing its standard input.
      await Promise.race([once(process.stdin, "close"), once(process.stdin, "end"), aborted(signal)]);
    } finally {
      await handle.close();
      await editor.close();
    }
    throwIfCancelled(signal, "the server");
  });
}

const aborted = (signal: AbortSignal): Promise<unknown> => (signal.aborted ? Promise.resolve() : once(signal, "abort"));
