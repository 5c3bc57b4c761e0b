import { hasEnded } from "../../src/server/api/states.ts";
import { cancelJob, runEdit, say, selectedJob } from "./state/index.ts";

/** Runs with Ctrl+Enter and cancels with Escape, wherever the focus is. */
export const startKeys = (): void =>
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void runEdit();
    }
    const job = selectedJob.value;
    if (event.key === "Escape" && job && !hasEnded(job.state) && !document.querySelector("dialog[open]")) {
      void cancelJob(job.id);
      say("Cancelled");
    }
  });
