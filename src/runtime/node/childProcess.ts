import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { EngineError } from "../../core/index.ts";
import { systemMessage } from "../../storage/node/index.ts";
import { knownAdvice } from "../deviceAdvice.ts";
import type { Device } from "../engine.ts";
import type { Answer, Reply, Request } from "../messages.ts";
import type { EngineProcess } from "../process.ts";
import { childEnvironment } from "./childEnvironment.ts";
import { type Frame, frameParts, frameSplitter } from "./frames.ts";
import { KeepAlive } from "./keepAlive.ts";
import { programBeside } from "./program.ts";

const signals: Record<string, string> = {
  SIGABRT: "native code aborted (SIGABRT)",
  SIGBUS: "a mapped weight file became shorter or unreadable (SIGBUS)",
  SIGILL: "native code uses an instruction that this CPU lacks (SIGILL)",
  SIGKILL: "it was killed (SIGKILL), probably because the system ran out of memory",
  SIGSEGV: "native code crashed (SIGSEGV)",
  SIGTERM: "it was asked to stop (SIGTERM)",
};

function ending(code: number | null, signal: string | null, log: string): EngineError {
  // Before its stack trace, Node names an error of JavaScript in a line of its own.
  const said = /^\w*Error: .*/m.exec(log)?.[0] ?? log.trim().slice(-500);
  return new EngineError("the process that runs the model ended", {
    found: `${signal ? (signals[signal] ?? signal) : `exit status ${code}`}${said ? `; it said: ${said}` : ""}`,
    advice:
      signal === "SIGKILL"
        ? "Close other programs, or use a smaller picture, fewer rows at once or a smaller model."
        : knownAdvice(said),
  });
}

/** Starts the child process. Throws EngineError if the system refuses, for lack of file descriptors for example. */
async function spawned(device: Device): Promise<ChildProcess> {
  const program = programBeside(import.meta.url, "child");
  try {
    // Standard output is for results of the command line. Standard error is kept for error messages.
    const started = spawn(process.execPath, [program, device], {
      env: childEnvironment(device),
      // The working folder may have been deleted. All paths in requests are absolute.
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

/** A child process that answers one request at a time. It keeps this process alive only while a request is running. */
export class ChildEngineProcess implements EngineProcess {
  readonly pid: number | undefined;
  private readonly process: ChildProcess;
  private readonly channel: Socket;
  private waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  private ended: EngineError | undefined;
  private readonly exited: Promise<void>;
  private killed = false;
  private dropped: number[] = [];
  private stderr = "";
  private readonly keepAlive: KeepAlive;

  private constructor(started: ChildProcess) {
    this.process = started;
    this.keepAlive = new KeepAlive(() => [started, started.stderr, started.stdio[3], started.stdio[4]]);
    this.pid = started.pid;
    this.channel = started.stdio[3] as Socket;
    this.exited = new Promise((resolve) => {
      const end = (error: EngineError): void => {
        this.ended ??= error;
        this.waiting?.reject(this.ended);
        resolve();
      };
      // "close" comes after the last output, so the log is complete.
      this.process.on("close", (code, signal) => end(ending(code, signal, this.stderr)));
      this.process.on("error", (cause) => {
        end(new EngineError("the process that runs the model failed", { found: systemMessage(cause), cause }));
      });
    });
    const split = frameSplitter(({ head, arrays }: Frame) => this.waiting?.resolve({ reply: head as Reply, arrays }));
    this.channel.on("data", split);
    this.process.stderr?.on("data", (text: Buffer) => {
      this.stderr = (this.stderr + text.toString()).slice(-2000);
    });
    // A write to a process that has just ended fails. "close" reports its end.
    for (const stream of [this.channel, this.process.stdio[4]]) stream?.on("error", () => undefined);
  }

  /** Starts a process whose libraries are those of `device`. Throws EngineError if that fails. */
  static async start(device: Device): Promise<{ child: ChildEngineProcess; ready: Reply & { kind: "ready" } }> {
    const child = new ChildEngineProcess(await spawned(device));
    const { reply } = await child.answer();
    if (reply.kind !== "ready") {
      child.kill();
      throw new EngineError("the process that runs the model did not start correctly", { found: reply.kind });
    }
    return { child, ready: reply };
  }

  async request(request: Request, arrays: readonly Uint8Array[] = []): Promise<Answer> {
    this.stderr = "";
    const answer = this.answer();
    this.channel.cork();
    const drop = this.dropped;
    this.dropped = [];
    for (const part of frameParts({ ...request, drop } satisfies Request, arrays)) this.channel.write(part);
    this.channel.uncork();
    return answer;
  }

  /** Native code logs to standard error. */
  async log(): Promise<string> {
    // It was written before the answer, so it arrives when the event loop next reads the pipes.
    await setImmediate();
    await setImmediate();
    return this.stderr;
  }

  drop(resident: number): void {
    this.dropped.push(resident);
  }

  get isEnding(): boolean {
    return this.killed || this.ended !== undefined;
  }

  kill(): void {
    this.killed = true;
    this.process.kill("SIGKILL");
  }

  async end(): Promise<void> {
    this.kill();
    this.keepAlive.hold();
    await this.exited;
  }

  private async answer(): Promise<Answer> {
    if (this.ended) throw this.ended;
    const letGo = this.keepAlive.hold();
    try {
      return await new Promise((resolve, reject) => {
        this.waiting = { resolve, reject };
      });
    } finally {
      this.waiting = undefined;
      letGo();
    }
  }
}
