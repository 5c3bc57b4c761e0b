import type { Work } from "../core/index.ts";
import { endBar, progressBar } from "./progress.ts";

/** How long work that was told to stop may take to put itself in order. */
const graceMs = 500;
const controller = new AbortController();

/** The first Ctrl-C tells all work to stop, and a second one, or a moment's wait, ends the process. */
export function heedInterrupts(): void {
  process.on("SIGINT", () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    setTimeout(() => process.exit(130), graceMs).unref();
  });
}

/** Runs long work with a progress bar; Ctrl-C aborts its signal. */
export async function working<T>(quiet: boolean, work: (work: Required<Work>) => Promise<T>): Promise<T> {
  try {
    return await work({ onProgress: progressBar(quiet), signal: controller.signal });
  } finally {
    endBar();
  }
}
