import { totalmem } from "node:os";
import { CancelledError } from "../../../core/index.ts";
import { type EngineChoice, engineChoice } from "../../../runtime/index.ts";
import { availableMemory, processTreeMemory } from "../../../runtime/node/index.ts";
import type { RunnerJob, RunnerModel } from "./messages.ts";
import { type Outcome, Runner, type RunnerWork } from "./runner.ts";

export interface RunnersOptions extends EngineChoice {
  /** Time after which a runner without jobs is ended. Default 15 minutes. */
  readonly idleMs?: number;
  /** Returns the bytes that a new computation can use. Default: the machine's. */
  readonly available?: () => number;
}

/** Idle runners are ended if less of the machine's memory is free. */
const LOW_SHARE = 0.05;
const CHECK_MS = 20_000;

/** A runner, and when its last job ended. */
interface Held {
  readonly runner: Runner;
  isBusy: boolean;
  idleSince: number;
}

/**
 * One runner for each model: started when a job needs it, kept for the next one, and ended if it has no job for long or if memory
 * is short. Estimates of memory decide which runners may work at once.
 */
export class Runners {
  private readonly held = new Map<string, Held>();
  private readonly engine: EngineChoice;
  private readonly idleMs: number;
  private readonly available: () => number;
  /** Continue the jobs that wait until a runner has no job. */
  private readonly waiting = new Set<() => void>();
  private readonly timer: NodeJS.Timeout;

  constructor({ idleMs = 15 * 60_000, available = availableMemory, ...options }: RunnersOptions = {}) {
    this.engine = engineChoice(options);
    this.idleMs = idleMs;
    this.available = available;
    this.timer = setInterval(() => void this.endIdle(), Math.min(CHECK_MS, idleMs)).unref();
  }

  /** Runs a job with a model, once its runner is free and there is memory for it. Throws CancelledError. */
  async run(model: RunnerModel, job: RunnerJob, work: RunnerWork): Promise<Outcome> {
    const held = await this.take(model, work.signal);
    try {
      return await held.runner.run(job, work);
    } finally {
      held.isBusy = false;
      held.idleSince = Date.now();
      for (const wake of this.waiting) wake();
    }
  }

  /** Process ids of the runners. */
  get pids(): number[] {
    return [...this.held.values()].flatMap(({ runner }) => (runner.hasEnded ? [] : (runner.pid ?? [])));
  }

  /** Ends all runners. Their jobs fail. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    const all = [...this.held.values()];
    this.held.clear();
    await Promise.all(all.map(({ runner }) => runner.end()));
  }

  /** Waits for the runner of a model, and takes it. */
  private async take(model: RunnerModel, signal: AbortSignal): Promise<Held> {
    for (;;) {
      if (signal.aborted) throw new CancelledError("the job");
      const known = this.held.get(model.sha256);
      if (known?.runner.hasEnded) this.held.delete(model.sha256);
      else if (known && !known.isBusy) return this.taken(known);
      else if (known) await this.nextEnd(signal);
      else {
        const room = this.roomFor(model);
        if (room === "none") await this.nextEnd(signal);
        else if (room !== "enough") await this.end(room);
        else {
          const made = { runner: new Runner(model, this.engine), isBusy: true, idleSince: 0 };
          this.held.set(model.sha256, made);
          return made;
        }
      }
    }
  }

  private taken(held: Held): Held {
    held.isBusy = true;
    return held;
  }

  /**
   * Tells if the runner of a model can be started beside the busy ones, or which idle runner to end first: the longest idle one.
   * If no runner is left there is no use in waiting, and the engine says how much is missing.
   */
  private roomFor({ memory = 0 }: RunnerModel): "enough" | "none" | Held {
    const all = [...this.held.values()].filter(({ runner }) => !runner.hasEnded);
    const busy = all.filter(({ isBusy }) => isBusy);
    // Busy runners may not have taken all of their memory yet.
    const promised = busy.reduce((sum, { runner }) => sum + Math.max(0, (runner.model.memory ?? 0) - used(runner)), 0);
    if (memory <= this.available() - promised) return "enough";
    const [longest] = all.filter(({ isBusy }) => !isBusy).sort((a, b) => a.idleSince - b.idleSince);
    return longest ?? (busy.length > 0 ? "none" : "enough");
  }

  private async end({ runner }: Held): Promise<void> {
    this.held.delete(runner.model.sha256);
    await runner.end();
  }

  /** Waits until a job ends or `signal` aborts. */
  private async nextEnd(signal: AbortSignal): Promise<void> {
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await woken;
    signal.removeEventListener("abort", wake);
    this.waiting.delete(wake);
  }

  /** Ends runners that have had no job for long, and all without jobs if memory is short. */
  private async endIdle(): Promise<void> {
    const isLow = this.available() < LOW_SHARE * totalmem();
    const now = Date.now();
    for (const held of this.held.values()) {
      if (!held.isBusy && (isLow || now - held.idleSince >= this.idleMs)) await this.end(held);
    }
  }
}

/** Bytes that a runner holds now. 0 where the system does not tell. */
const used = ({ pid }: Runner): number => (pid === undefined ? 0 : (processTreeMemory(pid)?.pss ?? 0));
