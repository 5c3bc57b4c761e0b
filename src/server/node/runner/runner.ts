import { type ChildProcess, fork } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { CancelledError, EngineError } from "../../../core/index.ts";
import type { EngineChoice } from "../../../runtime/index.ts";
import { KeepAlive, programBeside } from "../../../runtime/node/index.ts";
import { systemMessage } from "../../../storage/node/index.ts";
import type { JobError } from "../../api/index.ts";
import { jobErrorOf } from "../../jobError.ts";
import type { NeededPreparation, RunnerEvent, RunnerResult } from "../../runner/index.ts";
import type { FromRunner, RunnerJob, RunnerModel, ToRunner } from "./messages.ts";

/** Time for a runner to answer a cancellation before it is killed. */
const GRACE_MS = 700;

/** How a job is watched. */
export interface RunnerWork {
  readonly onEvent: (event: RunnerEvent) => void;
  /** Puts the file of a preparation into the job's folder, if the store has one. The job waits for it. */
  readonly onNeed: (preparation: NeededPreparation) => Promise<void>;
  readonly signal: AbortSignal;
}

/** How a job ended. */
export type Outcome =
  | { readonly kind: "done"; readonly result: RunnerResult }
  | { readonly kind: "failed"; readonly error: JobError };

/** A process that holds one model and runs one job at a time. This process does none of the work. */
export class Runner {
  readonly model: RunnerModel;
  private readonly child: ChildProcess;
  private ended: EngineError | undefined;
  private readonly exited: Promise<void>;
  private stderr = "";
  /** A runner that waits for jobs keeps no process alive. */
  private readonly keepAlive: KeepAlive;
  /** Ends the job that runs. Not a reaction of `exited`, which would keep each job until the process ends. */
  private onExit: (() => void) | undefined;

  constructor(model: RunnerModel, engine: EngineChoice) {
    this.model = model;
    const program = programBeside(import.meta.url, "child");
    // A group of its own, so that Ctrl-C in a terminal reaches this process alone, which then ends the job in order.
    this.child = fork(program, [], {
      cwd: dirname(fileURLToPath(import.meta.url)),
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
    });
    this.child.stderr?.on("data", (text: Buffer) => {
      this.stderr = (this.stderr + text.toString()).slice(-2000);
    });
    this.exited = new Promise((resolve) => {
      const end = (error: EngineError): void => {
        this.ended ??= error;
        this.onExit?.();
        resolve();
      };
      this.child.on("close", (code, signal) => end(this.ending(signal ?? `exit status ${code}`)));
      this.child.on("error", (cause) => end(this.ending(systemMessage(cause))));
    });
    const { child } = this;
    this.keepAlive = new KeepAlive(() => [child, child.channel, child.stderr]);
    this.tell({ kind: "load", model, engine });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** True if it takes no more jobs. */
  get hasEnded(): boolean {
    return this.ended !== undefined;
  }

  /**
   * Runs a job. Throws CancelledError within a second if the signal aborts; the process is killed if it does not answer. A crash
   * is a failed job.
   */
  async run(job: RunnerJob, { onEvent, onNeed, signal }: RunnerWork): Promise<Outcome> {
    if (signal.aborted) throw new CancelledError("the job");
    const letGo = this.keepAlive.hold();
    let killing: NodeJS.Timeout | undefined;
    const cancel = (): void => {
      this.tell({ kind: "cancel" });
      killing = setTimeout(() => this.child.kill("SIGKILL"), GRACE_MS);
    };
    let listen: ((message: FromRunner) => void) | undefined;
    const answered = new Promise<Outcome | "cancelled">((resolve, reject) => {
      listen = (message) => {
        if (message.kind === "event") onEvent(message.event);
        else if (message.kind === "needs") {
          const { key } = message.preparation;
          onNeed(message.preparation).then(() => this.tell({ kind: "fetched", key }), reject);
        } else resolve(message.kind === "cancelled" ? "cancelled" : message);
      };
      this.child.on("message", listen);
      this.onExit = () => resolve({ kind: "failed", error: jobErrorOf(this.ended) });
      if (this.ended) this.onExit();
    });
    signal.addEventListener("abort", cancel, { once: true });
    try {
      this.tell({ kind: "run", job });
      const outcome = await answered;
      if (outcome === "cancelled" || signal.aborted) throw new CancelledError("the job");
      return outcome;
    } catch (error) {
      // The process still works on a job that nobody follows.
      if (!(error instanceof CancelledError)) this.child.kill("SIGKILL");
      throw error;
    } finally {
      signal.removeEventListener("abort", cancel);
      clearTimeout(killing);
      if (listen) this.child.off("message", listen);
      this.onExit = undefined;
      letGo();
    }
  }

  /** Ends the process. Resolves when its memory is free. */
  async end(): Promise<void> {
    this.keepAlive.hold();
    this.child.kill("SIGKILL");
    await this.exited;
  }

  private tell(message: ToRunner): void {
    // A process that has just ended takes no message. Its end is reported by "close".
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  private ending(found: string): EngineError {
    const said = this.stderr.trim().slice(-500);
    return new EngineError("the process that runs jobs ended", {
      found: `${found}${said ? `; it said: ${said}` : ""}`,
      advice:
        found === "SIGKILL"
          ? "If the machine ran out of memory, close other programs, or use a smaller picture."
          : undefined,
    });
  }
}
