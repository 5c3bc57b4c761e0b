import { vi } from "vitest";
import { baretProgram } from "../../src/cli/program.ts";
import { runCommand } from "../../src/cli/run.ts";

/** Runs the command line in this process. Returns its standard output. */
export async function inProcess(...args: string[]): Promise<string> {
  const output = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const errors = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  try {
    await runCommand(await baretProgram(args), args);
    return output.mock.calls.map(([text]) => `${text}`).join("");
  } finally {
    output.mockRestore();
    errors.mockRestore();
  }
}
