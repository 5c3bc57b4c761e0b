import { throwIfCancelled, type Work } from "../core/index.ts";
import { endBar, progressBar } from "./progress.ts";

/** How long work that was told to stop may take to put itself in order. */
const graceMs = 500;
const controller = new AbortController();

function leave(): void {
  endBar();
  process.exit(130);
}

function onInterrupt(): void {
  if (controller.signal.aborted) leave();
  controller.abort();
  setTimeout(leave, graceMs).unref();
}

/** The first Ctrl-C tells all work to stop, and a second one, or a moment's wait, ends the process. */
export function heedInterrupts(): void {
  process.on("SIGINT", onInterrupt);
}

/** Runs work that holds this thread for seconds, so that no handler could run: meanwhile Ctrl-C kills the process. */
export async function holdingThread<T>(work: () => T | Promise<T>): Promise<T> {
  throwIfCancelled(controller.signal);
  const heeded = process.listeners("SIGINT").includes(onInterrupt);
  process.off("SIGINT", onInterrupt);
  try {
    return await work();
  } finally {
    if (heeded) heedInterrupts();
  }
}

/** Runs long work with a progress bar; Ctrl-C aborts its signal. */
export async function working<T>(quiet: boolean, work: (work: Required<Work>) => Promise<T>): Promise<T> {
  try {
    return await work({ onProgress: progressBar(quiet), signal: controller.signal });
  } finally {
    endBar();
  }
}
