import { SingleBar } from "cli-progress";
import { formatBytes, type Progress } from "../core/index.ts";
import { oneLine } from "./printable.ts";

const words = ({ done, total, unit, loss, note }: Progress): string =>
  [
    unit === "bytes" ? `${formatBytes(done)} of ${formatBytes(total)}` : `${done}/${total}`,
    ...(loss === undefined ? [] : [`loss ${loss.toExponential(2)}`]),
    ...(note ? [oneLine(note)] : []),
  ].join(" · ");

/** The bar that the terminal shows now. */
let shown: { bar: SingleBar; phase: string; done: number } | undefined;

/** Leaves the terminal's line to others. What goes on gets a new bar. */
export function endBar(): void {
  shown?.bar.stop();
  shown = undefined;
}

/** A bar for each phase, and for each time that it begins anew. */
function drawBar(progress: Progress): void {
  const { phase, done, total } = progress;
  const payload = { phase, words: words(progress) };
  if (shown?.phase !== phase || done < shown.done) {
    endBar();
    const bar = new SingleBar({ format: "{phase} {bar} {words} · {eta_formatted} left", barsize: 24, etaBuffer: 20 });
    bar.start(total, done, payload);
    shown = { bar, phase, done };
  } else {
    shown.bar.setTotal(total);
    shown.bar.update(done, payload);
    shown.done = done;
  }
}

/** Bytes move fast: more lines than this tell nobody anything. */
const betweenByteLinesMs = 2000;

/** A line for each twentieth of a phase; of bytes the first, the last, and one now and then. */
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
    process.stderr.write(`${phase} ${words(progress)}\n`);
  };
}

/** A bar on standard error where that is a terminal; elsewhere a line now and then; nothing at all where `quiet`. */
export function progressBar(quiet: boolean): (progress: Progress) => void {
  if (quiet) return () => undefined;
  return process.stderr.isTTY ? drawBar : sparseLines();
}
