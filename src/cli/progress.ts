import { SingleBar } from "cli-progress";
import { formatBytes, type Progress } from "../core/index.ts";

export interface ProgressBar {
  readonly onProgress: (progress: Progress) => void;
  /** Leaves the terminal as it was found. */
  readonly stop: () => void;
}

const words = ({ done, total, unit, loss, note }: Progress): string =>
  [
    unit === "bytes" ? `${formatBytes(done)} of ${formatBytes(total)}` : `${done}/${total}`,
    ...(loss === undefined ? [] : [`loss ${loss.toExponential(2)}`]),
    ...(note ? [note] : []),
  ].join(" · ");

/** A bar for each phase. */
function terminalBar(): ProgressBar {
  let bar: SingleBar | undefined;
  let current: string | undefined;
  return {
    onProgress: (progress) => {
      const { phase, done, total } = progress;
      const shown = { phase, words: words(progress) };
      if (phase !== current) {
        bar?.stop();
        bar = new SingleBar({ format: "{phase} {bar} {words} · {eta_formatted} left", barsize: 24, etaBuffer: 20 });
        bar.start(total, done, shown);
        current = phase;
      } else {
        bar?.setTotal(total);
        bar?.update(done, shown);
      }
    },
    stop: () => bar?.stop(),
  };
}

/** A line for each twentieth of a phase. */
function sparseLines(): ProgressBar {
  let current: string | undefined;
  let said = -1;
  return {
    onProgress: (progress) => {
      const { phase, done, total } = progress;
      if (phase !== current) said = -1;
      current = phase;
      const twentieth = Math.floor((done * 20) / total);
      if (twentieth > said) process.stderr.write(`${phase} ${words(progress)}\n`);
      said = Math.max(said, twentieth);
    },
    stop: () => undefined,
  };
}

/** A bar on standard error where that is a terminal; elsewhere a line now and then; nothing at all where `quiet`. */
export function progressBar(quiet: boolean): ProgressBar {
  if (quiet) return { onProgress: () => undefined, stop: () => undefined };
  return process.stderr.isTTY ? terminalBar() : sparseLines();
}
