// A worker of a test in a process of its own: takes jobs of a model and completes each one after a time.
// node queueWorker.mjs OPTIONS MODEL MILLISECONDS, OPTIONS being those of openQueue as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { openQueue } from "../../dist/server/node/index.js";

const [options, model, milliseconds] = process.argv.slice(2);
const queue = await openQueue(JSON.parse(options));
console.log("open");
for (;;) {
  const lease = await queue.take([model], `process ${process.pid}`, new AbortController().signal);
  if (!lease) break;
  console.log(`took ${lease.job.id}`);
  await sleep(Number(milliseconds), undefined, { signal: lease.signal }).catch(() => console.log(`lost ${lease.signal.reason}`));
  const result = { pictures: [], settings: {}, reusedPreparation: false, warnings: [], seconds: process.pid };
  if (!lease.signal.aborted) console.log(`${(await lease.complete(result)) ? "done" : "late"} ${lease.job.id}`);
}
