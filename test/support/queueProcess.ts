import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { QueueOptions } from "../../src/server/node/queue/index.ts";

const program = fileURLToPath(new URL("queueWorker.mjs", import.meta.url));

/** A process with a queue of its own: test/support/queueWorker.mjs. */
export class QueueProcess {
  /** Lines that it wrote, whole ones only. */
  readonly lines: string[] = [];
  readonly exited: Promise<unknown>;
  private readonly child: ChildProcess;
  private stderr = "";

  constructor(options: QueueOptions, model: string, milliseconds: number, role: "work" | "submit" = "work") {
    const roles = role === "submit" ? ["submit"] : [];
    this.child = spawn(process.execPath, [program, JSON.stringify(options), model, `${milliseconds}`, ...roles]);
    createInterface(this.child.stdout!).on("line", (line) => this.lines.push(line));
    this.child.stderr!.on("data", (text) => {
      this.stderr += text;
    });
    this.exited = once(this.child, "close");
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Jobs of which it said a word: accepted, took, done, late, cancelled, lost. */
  jobs(word: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  }

  /** Waits until it has written a line that begins so. */
  async said(start: string): Promise<void> {
    while (!this.lines.some((line) => line.startsWith(start))) {
      if (this.child.exitCode !== null) throw new Error(`the process ended: ${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Kills it with SIGKILL, if it still runs, and waits for its last words. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  /** Waits until it ends by itself. Returns its standard error. */
  async end(): Promise<string> {
    await this.exited;
    return this.stderr;
  }
}
