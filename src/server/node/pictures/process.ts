import { type ChildProcess, fork } from "node:child_process";
import { EngineError, ImageError } from "../../../core/index.ts";
import { programBeside } from "../../../runtime/node/index.ts";
import { BusyError } from "../../errors.ts";
import type { DecodedFacts, PictureReply, PictureTask } from "./messages.ts";

/** A JPEG of 100 million pixels took 44 s on a busy machine: two threads of one core, at a load of 15. */
const TASK_MS = 120_000;
/** The process ends after so long without a task, and gives its memory back. */
const IDLE_MS = 20_000;
const MAX_WAITING = 100;

/** A process that works on one picture at a time. It is started on demand and keeps no other process alive. */
export class PictureProcess {
  private child: ChildProcess | undefined;
  private idle: ReturnType<typeof setTimeout> | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /**
   * Runs a task after those before it. Throws ImageError if the picture is at fault, or if it takes longer than two minutes;
   * BusyError if too many tasks wait; EngineError if the process cannot be started or ends.
   */
  async run(task: PictureTask): Promise<DecodedFacts> {
    if (this.waiting >= MAX_WAITING) throw new BusyError("too many pictures at once", { retryAfter: 5 });
    this.waiting++;
    const result = this.last.then(() => this.now(task));
    this.last = result.catch(() => undefined).finally(() => this.waiting--);
    return result;
  }

  /** Ends the process. */
  close(): void {
    clearTimeout(this.idle);
    this.child?.kill("SIGKILL");
    this.child = undefined;
  }

  private async now(task: PictureTask): Promise<DecodedFacts> {
    clearTimeout(this.idle);
    const reply = await this.ask(task);
    this.idle = setTimeout(() => this.close(), IDLE_MS).unref();
    if ("facts" in reply) return reply.facts;
    if ("refused" in reply) throw new ImageError(reply.refused.replace(/\.$/, ""));
    throw new EngineError("a picture cannot be worked on", { found: reply.failed });
  }

  private ask(task: PictureTask): Promise<PictureReply> {
    const child = this.child ?? this.start();
    return new Promise<PictureReply>((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(late);
        child.off("message", answered).off("exit", ended).off("error", failed);
      };
      const answered = (reply: unknown): void => {
        finish();
        resolve(reply as PictureReply);
      };
      const ended = (code: number | null, signal: string | null): void => {
        finish();
        this.child = undefined;
        // Most likely a picture that crashes a decoder, or that takes more memory than there is.
        reject(new ImageError("this picture cannot be decoded", { found: `the decoder ended with ${signal ?? code}` }));
      };
      const failed = (cause: Error): void => {
        finish();
        this.child = undefined;
        reject(new EngineError("the process that decodes pictures failed", { found: cause.message, cause }));
      };
      const late = setTimeout(() => {
        finish();
        this.close();
        reject(new ImageError("this picture takes too long to decode", { expected: `at most ${TASK_MS / 1000} s` }));
      }, TASK_MS);
      child.on("message", answered).on("exit", ended).on("error", failed);
      child.send(task);
    });
  }

  private start(): ChildProcess {
    const started = fork(programBeside(import.meta.url, "child"), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [],
    });
    // Neither the process nor its channel keeps this one alive.
    started.unref();
    started.channel?.unref();
    // It may be killed while it has nothing to do.
    started.once("exit", () => {
      if (this.child === started) this.child = undefined;
    });
    this.child = started;
    return started;
  }
}
