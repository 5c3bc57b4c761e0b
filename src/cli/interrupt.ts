import { CancelledError, throwIfCancelled, type Work } from "../core/index.ts";
import { endBar, progressBar } from "./progress.ts";

/** Time for work to stop cleanly after Ctrl-C, before the process ends. */
const graceMs = 500;
const controller = new AbortController();

function endProcess(): void {
  endBar();
  process.exit(130);
}

function onInterrupt(): void {
  if (controller.signal.aborted) endProcess();
  controller.abort();
  setTimeout(endProcess, graceMs).unref();
}

/** Lets the first Ctrl-C cancel all work. The process ends after a second Ctrl-C or after `graceMs`. */
export function handleInterrupts(): void {
  process.on("SIGINT", onInterrupt);
}

/** Runs work that blocks this thread for seconds. No handler can run meanwhile, so Ctrl-C kills the process. */
export async function runBlocking<T>(work: () => T | Promise<T>): Promise<T> {
  throwIfCancelled(controller.signal);
  const isHandled = process.listeners("SIGINT").includes(onInterrupt);
  process.off("SIGINT", onInterrupt);
  try {
    return await work();
  } finally {
    if (isHandled) handleInterrupts();
  }
}

/**
 * Runs work, and calls `say` if it is cancelled. Ctrl-C calls it at once: on a busy machine the process ends before the work has
 * stopped.
 */
export async function sayingIfCancelled<T>(say: () => void, work: () => Promise<T>): Promise<T> {
  const { signal } = controller;
  signal.addEventListener("abort", say, { once: true });
  try {
    return await work();
  } catch (error) {
    if (error instanceof CancelledError && !signal.aborted) say();
    throw error;
  } finally {
    signal.removeEventListener("abort", say);
  }
}

/** Runs long work with a progress bar. Ctrl-C aborts its signal. */
export async function withProgress<T>(quiet: boolean, work: (work: Required<Work>) => Promise<T>): Promise<T> {
  try {
    return await work({ onProgress: progressBar(quiet), signal: controller.signal });
  } finally {
    endBar();
  }
}

/**
 * Runs a service until Ctrl-C or SIGTERM aborts its signal. The service may take its time to stop, but a second Ctrl-C ends the
 * process. what: a noun, "the worker". Throws CancelledError after Ctrl-C.
 */
export async function untilStopped(what: string, serve: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stopping = new AbortController();
  const isHandled = process.listeners("SIGINT").includes(onInterrupt);
  let isInterrupted = false;
  const interrupt = (): void => {
    if (isInterrupted) endProcess();
    isInterrupted = true;
    stopping.abort();
  };
  const terminate = (): void => stopping.abort();
  process.off("SIGINT", onInterrupt);
  process.on("SIGINT", interrupt).on("SIGTERM", terminate);
  try {
    await serve(stopping.signal);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", terminate);
    if (isHandled) handleInterrupts();
  }
  if (isInterrupted) throw new CancelledError(what);
}
