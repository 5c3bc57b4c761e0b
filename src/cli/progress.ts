import { SingleBar } from "cli-progress";
import { formatBytes, type Progress, type Work } from "../core/index.ts";

/** "34/50", "1.20 GB/4.27 GB". */
const amount = ({ done, total, unit }: Progress): string =>
  unit === "bytes" ? `${formatBytes(done)}/${formatBytes(total)}` : `${done}/${total}`;

const noteOf = ({ note }: Progress): string => (note ? ` · ${note}` : "");

/** A bar on standard error where that is a terminal; elsewhere a line for each phase and each twentieth of one. */
export function progressBar(quiet: boolean): { onProgress: (progress: Progress) => void; stop: () => void } {
  if (quiet) return { onProgress: () => undefined, stop: () => undefined };
  if (!process.stderr.isTTY) return { onProgress: lines(), stop: () => undefined };
  const bar = new SingleBar({
    format: "{phase} {bar} {amount} · {eta_formatted}{note}",
    clearOnComplete: false,
    stopOnComplete: false,
  });
  let work: string | undefined;
  return {
    onProgress: (progress) => {
      const { phase, done, total, unit } = progress;
      const shown = { phase, amount: amount(progress), note: noteOf(progress) };
      // Other work gets a bar of its own; a phase of the same work only another word.
      const current = `${total} ${unit}`;
      if (work === current) bar.update(done, shown);
      else {
        if (work !== undefined) bar.stop();
        bar.start(total, done, shown);
      }
      work = current;
    },
    stop: () => bar.stop(),
  };
}

function lines(): (progress: Progress) => void {
  let said = "";
  return (progress) => {
    const { phase, done, total } = progress;
    const state = `${phase} ${total} ${Math.floor((done * 20) / total)}`;
    if (state !== said) process.stderr.write(`${phase} ${amount(progress)}${noteOf(progress)}\n`);
    said = state;
  };
}

/** Runs work with a progress bar, stopping at Ctrl-C. */
export async function working<T>(quiet: boolean, work: (work: Work) => Promise<T>): Promise<T> {
  const { onProgress, stop } = progressBar(quiet);
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  process.once("SIGINT", interrupt);
  try {
    return await work({ onProgress, signal: controller.signal });
  } finally {
    process.off("SIGINT", interrupt);
    stop();
  }
}
