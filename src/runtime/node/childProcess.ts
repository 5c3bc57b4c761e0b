import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../core/index.ts";
import { BUNDLE_ADVICE, systemMessage } from "../../storage/node.ts";
import { type Frame, frameParts, frameSplitter } from "./frames.ts";
import type { Reply, Request } from "./messages.ts";

/**
 * The program of the child process. A plain Node 20 runs no TypeScript, so from the sources it is the compiled one in
 * dist/, which the tests' global set-up keeps fresh. Throws EngineError if it is missing, as it is in a bundle.
 */
export function childProgram(): string {
  // A bundle in CommonJS form has no import.meta.url.
  const here: string | undefined = import.meta.url;
  const fromSource = here?.endsWith(".ts");
  const runsTypeScript = "typescript" in process.features && process.features.typescript;
  const name = !fromSource ? "./child.js" : runsTypeScript ? "./child.ts" : "../../../dist/runtime/node/child.js";
  const program = here ? fileURLToPath(new URL(name, here)) : name;
  if (here && existsSync(program)) return program;
  throw new EngineError("the program that runs models is missing", { where: program, advice: BUNDLE_ADVICE });
}

const signals: Record<string, string> = {
  SIGABRT: "native code gave up (SIGABRT)",
  SIGBUS: "a mapped weight file became shorter or unreadable (SIGBUS)",
  SIGILL: "native code uses an instruction that this CPU lacks (SIGILL)",
  SIGKILL: "it was killed (SIGKILL), most likely by the system because memory ran out",
  SIGSEGV: "native code crashed (SIGSEGV)",
  SIGTERM: "it was told to stop (SIGTERM)",
};

function ending(code: number | null, signal: string | null, lastWords: string): EngineError {
  const said = lastWords.trim().slice(-500);
  return new EngineError("the process that runs the model ended", {
    found: `${signal ? (signals[signal] ?? signal) : `exit status ${code}`}${said ? `; it said: ${said}` : ""}`,
    advice:
      signal === "SIGKILL"
        ? "Close other programs, or use a smaller picture, fewer rows at once or a smaller model."
        : undefined,
  });
}

/** The child process, once the system has started it. Throws EngineError if it does not, for want of file descriptors say. */
async function spawned(): Promise<ChildProcess> {
  const program = childProgram();
  try {
    // Nothing on standard output: the command line's is for results. Warnings of native libraries are kept for errors.
    const started = spawn(process.execPath, [program], {
      // glibc otherwise learns to keep freed pieces of up to 32 MB, and what loading a program leaves is never given back.
      env: { MALLOC_MMAP_THRESHOLD_: `${1 << 20}`, ...process.env },
      // The working folder may have been deleted. Every path that the child is given is absolute.
      cwd: dirname(program),
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    await once(started, "spawn");
    return started;
  } catch (cause) {
    throw new EngineError("the process that runs the model cannot be started", { found: systemMessage(cause), cause });
  }
}

interface Answer {
  reply: Reply;
  arrays: Uint8Array<ArrayBuffer>[];
}

/** A running child process that answers one request at a time. Keeps this process alive only while one is under way. */
export class EngineProcess {
  readonly pid: number | undefined;
  private readonly process: ChildProcess;
  private readonly channel: Socket;
  private waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  private ended: EngineError | undefined;
  private readonly exited: Promise<void>;
  private killed = false;
  private dropped: number[] = [];
  private lastWords = "";

  private constructor(started: ChildProcess) {
    this.process = started;
    this.pid = started.pid;
    this.channel = started.stdio[3] as Socket;
    this.exited = new Promise((resolve) => {
      const end = (error: EngineError): void => {
        this.ended ??= error;
        this.waiting?.reject(this.ended);
        resolve();
      };
      // "close" comes after the last output, so that the last words are complete.
      this.process.on("close", (code, signal) => end(ending(code, signal, this.lastWords)));
      this.process.on("error", (cause) => {
        end(new EngineError("the process that runs the model failed", { found: systemMessage(cause), cause }));
      });
    });
    const split = frameSplitter(({ head, arrays }: Frame) => this.waiting?.resolve({ reply: head as Reply, arrays }));
    this.channel.on("data", split);
    this.process.stderr?.on("data", (text: Buffer) => {
      this.lastWords = (this.lastWords + text.toString()).slice(-2000);
    });
    // A write to a process that has just died fails; its end is reported by "close".
    for (const stream of [this.channel, this.process.stdio[4]]) stream?.on("error", () => undefined);
  }

  /** Starts a process. Throws EngineError if that fails. */
  static async start(): Promise<{ child: EngineProcess; ready: Reply & { kind: "ready" } }> {
    const child = new EngineProcess(await spawned());
    const { reply } = await child.answer();
    if (reply.kind !== "ready") {
      child.kill();
      throw new EngineError("the process that runs the model did not start as it should", { found: reply.kind });
    }
    return { child, ready: reply };
  }

  /** Throws EngineError if the process ends before it answers. */
  async request(request: Request, arrays: readonly Uint8Array[] = []): Promise<Answer> {
    this.lastWords = "";
    const answer = this.answer();
    this.channel.cork();
    const drop = this.dropped;
    this.dropped = [];
    for (const part of frameParts({ ...request, drop } satisfies Request, arrays)) this.channel.write(part);
    this.channel.uncork();
    return answer;
  }

  /** Everything that native code has written to standard error since the last request. Waits until it has arrived. */
  async log(): Promise<string> {
    // It was written before the answer, so the next look at the pipes finds it.
    await setImmediate();
    await setImmediate();
    return this.lastWords;
  }

  /** Frees a tensor that it keeps, with the next request. */
  drop(resident: number): void {
    this.dropped.push(resident);
  }

  /** Whether it can take no further request. */
  get isEnding(): boolean {
    return this.killed || this.ended !== undefined;
  }

  kill(): void {
    this.killed = true;
    this.process.kill("SIGKILL");
  }

  /** Ends it, and resolves when its memory is free. */
  async end(): Promise<void> {
    this.kill();
    this.keepAlive(true);
    await this.exited;
  }

  private async answer(): Promise<Answer> {
    if (this.ended) throw this.ended;
    this.keepAlive(true);
    try {
      return await new Promise((resolve, reject) => {
        this.waiting = { resolve, reject };
      });
    } finally {
      this.waiting = undefined;
      this.keepAlive(false);
    }
  }

  private keepAlive(alive: boolean): void {
    const change = alive ? "ref" : "unref";
    this.process[change]();
    for (const stream of [this.process.stderr, this.channel, this.process.stdio[4]]) (stream as Socket)[change]();
  }
}
