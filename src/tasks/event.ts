import { joinSignals, type Picture, type Progress, type Warning } from "../core/index.ts";
import type { AttentionMaps, Quality } from "../editing/index.ts";
import type { Cost } from "./cost.ts";
import type { Estimate } from "./estimate.ts";
import type { EditRecord, SettingValues, StrengthRecord } from "./record.ts";

/** Event of a running task. A command line prints events; a server streams them. */
export type TaskEvent =
  /** All settings in effect, before the first step. */
  | { readonly type: "settings"; readonly settings: SettingValues }
  /** Time and memory, estimated before the first step. Absent if no estimate was asked for. */
  | { readonly type: "estimate"; readonly estimate: Estimate }
  /** One more step is done. It has the time left from the phase's second step on. */
  | ({ readonly type: "progress" } & Progress)
  | { readonly type: "warning"; readonly warning: Warning }
  /** The photo is prepared. */
  | { readonly type: "prepared"; readonly quality: Quality; readonly iterations?: number }
  /** The clean image that the last step predicts. */
  | { readonly type: "preview"; readonly picture: Picture }
  /** One picture of several is finished. */
  | { readonly type: "picture"; readonly index: number; readonly picture: Picture; readonly settings: SettingValues }
  /** The strength of the edit is chosen. */
  | { readonly type: "chosen"; readonly strength: StrengthRecord }
  | { readonly type: "done"; readonly result: TaskResult };

/** One of the edits that the strength was chosen from. */
export interface StripPicture {
  readonly keep: number;
  readonly match: number;
  readonly picture: Picture;
  readonly settings: SettingValues;
}

export interface TaskResult {
  /** Pictures by name; those of an edit have "edit" among them. Those of a sweep are numbered from "0". */
  readonly images: Readonly<Record<string, Picture>>;
  readonly record: EditRecord;
  readonly quality: Quality;
  readonly iterations?: number;
  /** The photo after the VAE's round trip. */
  readonly roundTrip: Picture;
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
  readonly costs: { readonly prepare: Cost; readonly edit?: Cost };
  /** Absent if none was asked for. */
  readonly estimate?: Estimate;
  readonly warnings: readonly Warning[];
  /** The edits that the strength was chosen from, from the one that keeps most to the one that follows the prompt most. */
  readonly strip?: readonly StripPicture[];
  /** Of a task that looks at attention. */
  readonly attention?: AttentionMaps;
}

/** Yields an event of the running task. */
export type Emit<E = TaskEvent> = (event: E) => void;

/**
 * Runs `work` and yields the events that it emits, in order. Rejects as `work` does. If the caller stops reading, aborts
 * the signal that `work` gets.
 */
export async function* stream<E = TaskEvent>(
  work: (emit: Emit<E>, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): AsyncGenerator<E, void> {
  const stopped = new AbortController();
  const events: E[] = [];
  let wake = (): void => undefined;
  let state: "running" | "done" | "failed" = "running";
  let failure: unknown;
  const emit: Emit<E> = (event) => {
    events.push(event);
    wake();
  };
  const both = joinSignals(signal, stopped.signal);
  const running = work(emit, both.signal)
    .then(
      () => {
        state = "done";
      },
      (error: unknown) => {
        [state, failure] = ["failed", error];
      },
    )
    .then(() => wake());
  try {
    for (;;) {
      for (let event = events.shift(); event; event = events.shift()) yield event;
      if (state !== "running") break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stopped.abort();
    await running;
    both.release();
  }
  if (state === ("failed" as typeof state)) throw failure;
}

/** Returns a progress callback that emits progress events with the time left, estimated from the steps of the phase. */
export function timed(emit: Emit): (progress: Progress) => void {
  let phase: { name: string; from: number; began: number } | undefined;
  return (progress) => {
    const now = performance.now();
    const { done, total } = progress;
    if (phase?.name !== progress.phase || done <= phase.from) phase = { name: progress.phase, from: done, began: now };
    const steps = done - phase.from;
    const secondsLeft = steps > 0 ? ((now - phase.began) / 1000 / steps) * (total - done) : undefined;
    emit({ type: "progress", ...progress, ...(secondsLeft !== undefined && { secondsLeft }) });
  };
}
