import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, vi } from "vitest";
import { baretProgram } from "../../src/cli/program.ts";
import { runCommand } from "../../src/cli/run.ts";
import { encodePng } from "../../src/image/node/index.ts";
import { smoothPicture } from "./baret.ts";
import { temporaryFolder } from "./files.ts";

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

/** Makes a folder with photo.png and a cache for the commands of a test file. Returns a function that gives the paths of its files. */
export function folderWithPhoto(): (...parts: string[]) => string {
  const at = temporaryFolder();
  beforeAll(async () => {
    vi.stubEnv("BARET_CACHE", at("cache"));
    writeFileSync(at("photo.png"), await encodePng(smoothPicture(1)));
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });
  return at;
}
