import type { Picture, Progress, Warning } from "../core/index.ts";
import type { EditRecord, SettingValues } from "./record.ts";

/** What long work tells while it runs. A command line prints it, a server streams it. */
export type TaskEvent =
  /** All settings in effect, before the first step. */
  | { readonly type: "settings"; readonly settings: SettingValues }
  /** One more step is done. secondsLeft: of this phase, once it can be told. */
  | ({ readonly type: "progress"; readonly secondsLeft?: number } & Progress)
  | { readonly type: "warning"; readonly warning: Warning }
  /** The photo is prepared. */
  | { readonly type: "prepared"; readonly quality: Quality; readonly iterations?: number }
  /** The edit as it looks from the step that is done. */
  | { readonly type: "preview"; readonly picture: Picture }
  /** One picture of several is finished. */
  | { readonly type: "picture"; readonly index: number; readonly picture: Picture; readonly settings: SettingValues }
  | { readonly type: "done"; readonly result: TaskResult };

/** How near a prepared photo comes to the photo: PSNR in dB; Infinity if they are equal. */
export interface Quality {
  /** Reconstruction against the VAE's round trip. */
  readonly inversion?: number;
  /** Round trip against the photo. */
  readonly vae?: number;
  /** Reconstruction against the photo. */
  readonly photo?: number;
}

export interface TaskResult {
  /** By name, "edit" among them; those of a sweep by number. */
  readonly images: Readonly<Record<string, Picture>>;
  readonly record: EditRecord;
  readonly quality: Quality;
  readonly iterations?: number;
  /** The photo after the VAE's round trip. */
  readonly roundTrip: Picture;
  /** Rows that the U-Net predicted, over all steps. */
  readonly rows: number;
  readonly warnings: readonly Warning[];
}

/** Tells of an event. */
export type Emit = (event: TaskEvent) => void;

/**
 * Runs `work` and yields the events it emits, in order. Rejects as `work` does. If the caller stops reading, `work`'s
 * signal is aborted.
 */
export async function* stream(
  work: (emit: Emit, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): AsyncGenerator<TaskEvent, void> {
  const stopped = new AbortController();
  const events: TaskEvent[] = [];
  let wake = (): void => undefined;
  let state: "running" | "done" | "failed" = "running";
  let failure: unknown;
  const emit: Emit = (event) => {
    events.push(event);
    wake();
  };
  const both = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal;
  const running = work(emit, both)
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
  }
  if (state === ("failed" as typeof state)) throw failure;
}

/** Progress events with the seconds that their phase has left, from its steps so far. */
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
