import { SingleBar } from "cli-progress";
import type { Progress } from "../../core/index.ts";

/** A bar on standard error where that is a terminal; elsewhere a line for each twentieth of the work. */
export function progressBar(quiet: boolean): { onProgress: (progress: Progress) => void; stop: () => void } {
  if (quiet) return { onProgress: () => undefined, stop: () => undefined };
  if (process.stderr.isTTY) {
    const bar = new SingleBar({ format: "{phase} {bar} {value}/{total} · {eta_formatted}", clearOnComplete: false });
    let started = false;
    return {
      onProgress: ({ phase, done, total }) => {
        if (started) bar.update(done, { phase });
        else bar.start(total, done, { phase });
        started = true;
      },
      stop: () => bar.stop(),
    };
  }
  let said = -1;
  return {
    onProgress: ({ phase, done, total }) => {
      const twentieth = Math.floor((done * 20) / total);
      if (twentieth > said) process.stderr.write(`${phase} ${done}/${total}\n`);
      said = Math.max(said, twentieth);
    },
    stop: () => undefined,
  };
}
