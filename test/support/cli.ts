import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { baretProgram } from "../../src/cli/program.ts";
import { printError, runCommand } from "../../src/cli/run.ts";

// Every run starts one or two processes, and the machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/**
 * Runs `work` as an ordinary user, since permissions do not apply to root. It runs in this process, because another user may
 * not have access to the project's folder.
 */
export async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  process.seteuid!(65534);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
  }
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from the interrupt, if there was one, to the end. */
  readonly afterInterrupt: number;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Sends Ctrl-C, or `interruptWith`, as soon as standard error matches. */
  readonly interruptAt?: RegExp;
  readonly interruptWith?: NodeJS.Signals;
  /** Called with all of standard error so far, whenever there is more. */
  readonly onError?: (stderr: string) => void;
  /** Largest file that the process may write, in KiB. */
  readonly fileLimit?: number;
  /** Shell redirection of standard output, such as "> /dev/full" or "| head -c 0". */
  readonly redirect?: string;
}

/** A temporary folder to run the command line in, with its own cache. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), "baret-cli-"));
  private readonly cache = join(this.folder, "cache");

  constructor() {
    mkdirSync(this.cache);
    chmodSync(this.folder, 0o777);
  }

  path = (...parts: string[]): string => join(this.folder, ...parts);

  remove = (): void => rmSync(this.folder, { recursive: true, force: true });

  /** Runs the built command line in this folder, as a process of its own. */
  baret(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const { env, interruptAt, interruptWith = "SIGINT", onError, fileLimit, redirect = "" } = options;
    const limit = fileLimit === undefined ? "" : `ulimit -f ${fileLimit * 2}; `;
    const exec = redirect.includes("|") ? "" : "exec ";
    const child = spawn(
      "/bin/sh",
      ["-c", `${limit}${exec}"$@" ${redirect}`, "sh", process.execPath, program, ...args],
      {
        cwd: this.folder,
        env: { ...process.env, BARET_CACHE: this.cache, HF_HOME: this.path("hf"), ...env },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let [stdout, stderr, interrupted] = ["", "", 0];
    child.stdout.on("data", (text: Buffer) => {
      stdout += text;
    });
    child.stderr.on("data", (text: Buffer) => {
      stderr += text;
      onError?.(stderr);
      if (interruptAt?.test(stderr) && interrupted === 0) {
        interrupted = performance.now();
        child.kill(interruptWith);
      }
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) =>
        resolve({ code, signal, stdout, stderr, afterInterrupt: performance.now() - interrupted }),
      );
    });
  }

  /** Runs the command line in this folder, in this process. It takes less time than `baret`. */
  async inProcess(args: readonly string[]): Promise<Pick<Ended, "code" | "stdout" | "stderr">> {
    const [folder, status] = [process.cwd(), process.exitCode];
    const spies = ([process.stdout, process.stderr] as const).map((to) => vi.spyOn(to, "write").mockReturnValue(true));
    process.chdir(this.folder);
    vi.stubEnv("BARET_CACHE", this.cache);
    vi.stubEnv("HF_HOME", this.path("hf"));
    try {
      process.exitCode = undefined;
      // Some commands set the status and go on.
      const code = await runCommand(await baretProgram(args), args).then(
        () => Number(process.exitCode ?? 0),
        printError,
      );
      const [stdout, stderr] = spies.map(({ mock }) => mock.calls.map(([text]) => `${text}`).join(""));
      return { code, stdout, stderr };
    } finally {
      for (const spy of spies) spy.mockRestore();
      vi.unstubAllEnvs();
      process.chdir(folder);
      process.exitCode = status;
    }
  }
}
