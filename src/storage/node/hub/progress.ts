import type { HubError, Progress } from "../../../core/index.ts";

/** Reports the progress of a pull. Bytes are subtracted again if they have to be downloaded a second time. */
export class PullProgress {
  private state: Progress = { phase: "look up", done: 0, total: 1 };
  private readonly report: (progress: Progress) => void;

  constructor(report: ((progress: Progress) => void) | undefined) {
    this.report = report ?? (() => undefined);
  }

  phase(phase: string, total: number): void {
    this.state = { phase, done: 0, total, ...(phase === "download" && { unit: "bytes" }) };
    this.report(this.state);
  }

  bytes(count: number): void {
    // Small files belong to the look-up.
    if (this.state.unit !== "bytes") return;
    this.state = { ...this.state, done: this.state.done + count };
    this.report(this.state);
  }

  waiting({ message }: HubError, ms: number): void {
    const note = `${message.split("\n")[0].replace(/\.$/, "")}; retry in ${Math.ceil(ms / 1000)} s`;
    this.report({ ...this.state, phase: "wait for the hub", note });
  }
}
