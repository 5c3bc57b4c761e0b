/**
 * The program of a runner's process: holds one model and runs one job at a time. It hears of its jobs over the channel of
 * Node's child processes, and ends with it.
 */
import { CancelledError } from "../../../core/index.ts";
import type { Model } from "../../../diffusion/index.ts";
import { loadModel } from "../../../diffusion/node/index.ts";
import { PreparedCache } from "../../../editing/node/index.ts";
import type { EngineChoice } from "../../../runtime/index.ts";
import { jobErrorOf } from "../../jobError.ts";
import { type NeededPreparation, runJob, withoutFolder } from "../../runner/index.ts";
import { folderPlace } from "./folderPlace.ts";
import type { FromRunner, RunnerJob, RunnerModel, ToRunner } from "./messages.ts";

let loading: { readonly model: RunnerModel; readonly engine: EngineChoice } | undefined;
let loaded: Model | undefined;
let running: AbortController | undefined;
const cache = new PreparedCache();
/** Continues the jobs that wait for the file of a preparation. */
const fetched = new Map<string, () => void>();

const send = (message: FromRunner): void => void process.send?.(message);

const need = (preparation: NeededPreparation): Promise<void> =>
  new Promise((resolve) => {
    fetched.set(preparation.key, resolve);
    send({ kind: "needs", preparation });
  });

async function run(job: RunnerJob, signal: AbortSignal): Promise<void> {
  /** Sends a message without paths of this machine. */
  const sendClean = (message: FromRunner): void => send(JSON.parse(withoutFolder(JSON.stringify(message), job.folder)));
  try {
    const { model, engine } = loading!;
    loaded ??= await loadModel(model.load, {
      ...engine,
      signal,
      onProgress: (progress) => sendClean({ kind: "event", event: { type: "progress", progress } }),
    });
    const result = await runJob({
      model: loaded,
      name: model.name,
      request: job.request,
      place: folderPlace(job, { cache, need }),
      emit: (event) => sendClean({ kind: "event", event }),
      signal,
    });
    sendClean({ kind: "done", result });
  } catch (error) {
    if (error instanceof CancelledError || signal.aborted) send({ kind: "cancelled" });
    else send({ kind: "failed", error: jobErrorOf(error, job.folder) });
  }
}

process.on("message", (message: ToRunner) => {
  if (message.kind === "load") loading = message;
  else if (message.kind === "cancel") {
    running?.abort();
    for (const resolve of fetched.values()) resolve();
  } else if (message.kind === "fetched") fetched.get(message.key)?.();
  else {
    running = new AbortController();
    void run(message.job, running.signal);
  }
});
// The parent has ended or closed the channel. The engine's own process ends with this one.
process.on("disconnect", () => process.exit());
