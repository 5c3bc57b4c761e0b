import { SingleBar } from "cli-progress";
import { formatBytes, type Progress } from "../core/index.ts";
import { timeText } from "../tasks/index.ts";
import { oneLine } from "./printable.ts";

const progressText = ({ done, total, unit, loss, note, secondsLeft }: Progress): string =>
  [
    unit === "bytes" ? `${formatBytes(done)} of ${formatBytes(total)}` : `${done}/${total}`,
    ...(loss === undefined ? [] : [`loss ${loss.toExponential(2)}`]),
    ...(note ? [oneLine(note)] : []),
    ...(secondsLeft === undefined || done >= total ? [] : [`about ${timeText(secondsLeft)} left`]),
  ].join(" · ");

/** The bar on the terminal. began, from: time and finished steps when it appeared. */
let current: { bar: SingleBar; phase: string; done: number; began: number; from: number } | undefined;

/** Ends the bar, so that other output can be printed. The next progress starts a new bar. */
export function endBar(): void {
  current?.bar.stop();
  current = undefined;
}

/** Draws a bar for each phase. A phase that starts again gets a new bar. */
function drawBar(progress: Progress): void {
  const { phase, done, total } = progress;
  if (current?.phase !== phase || done < current.done) {
    endBar();
    const bar = new SingleBar({ format: "{phase} {bar} {text}", barsize: 24 });
    bar.start(total, done, { phase, text: progressText(progress) });
    current = { bar, phase, done, began: performance.now(), from: done };
    return;
  }
  const { bar, began, from } = current;
  const perStep = (performance.now() - began) / 1000 / Math.max(1, done - from);
  const { secondsLeft = perStep * (total - done) } = progress;
  bar.setTotal(total);
  bar.update(done, { phase, text: progressText({ ...progress, secondsLeft }) });
  current.done = done;
}

/** Shortest time between two lines of a download. */
const betweenByteLinesMs = 2000;

/** Prints a line for each twentieth of a phase; for bytes, not more often than `betweenByteLinesMs`. */
function sparseLines(): (progress: Progress) => void {
  let last = { phase: "", twentieth: -1, time: 0 };
  return (progress) => {
    const { phase, done, total, unit } = progress;
    const twentieth = Math.floor((done * 20) / total);
    if (phase === last.phase && done < total) {
      const early = unit === "bytes" && Date.now() < last.time + betweenByteLinesMs;
      if (early || twentieth === last.twentieth) return;
    }
    last = { phase, twentieth, time: Date.now() };
    process.stderr.write(`${phase} ${progressText(progress)}\n`);
  };
}

/** Returns a progress callback. It draws a bar if standard error is a terminal, prints lines if not, nothing if `quiet`. */
export function progressBar(quiet: boolean): (progress: Progress) => void {
  if (quiet) return () => undefined;
  return process.stderr.isTTY ? drawBar : sparseLines();
}
