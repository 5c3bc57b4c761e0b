import type { JobEvent } from "../../api/index.ts";

/**
 * Chooses which previews of a job to send: at most `count`, spread over its steps. Returns a function that takes every event and
 * returns a preview, as a data URL, if it is to be sent.
 */
export function partialChooser(count: number): (event: JobEvent) => string | undefined {
  let sent = 0;
  let share = 0;
  return (event) => {
    if (event.type === "progress") {
      const { phase, done, total } = event.progress;
      // Previews are of the last phase.
      share = phase === "edit" ? done / total : 0;
    }
    if (event.type !== "preview" || sent >= count || share < (sent + 1) / (count + 1)) return undefined;
    sent++;
    return event.preview;
  };
}
