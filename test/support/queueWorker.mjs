// A process of a test with a queue of its own. It takes jobs of a model and completes each one after a time.
// node queueWorker.mjs OPTIONS MODEL MILLISECONDS [submit]
// OPTIONS: those of openQueue as JSON. submit: also submits jobs, one after another.
import { setTimeout as sleep } from "node:timers/promises";
import { openQueue } from "../../dist/server/node/queue/index.js";

const [options, model, milliseconds, submit] = process.argv.slice(2);
const queue = await openQueue(JSON.parse(options));
console.log("open");

async function work() {
  for (;;) {
    const lease = await queue.take([model], `process ${process.pid}`, new AbortController().signal);
    if (!lease) return;
    const { id } = lease.job;
    console.log(`took ${id}`);
    await sleep(Number(milliseconds), undefined, { signal: lease.signal }).catch(() => undefined);
    if (lease.signal.aborted) console.log(`${lease.signal.reason} ${id}`);
    else {
      const result = { pictures: [], settings: {}, reusedPreparation: false, warnings: [], seconds: process.pid };
      console.log(`${(await lease.complete(result)) ? "done" : "late"} ${id}`);
    }
  }
}

async function ask() {
  for (let i = 0; ; i++) {
    const request = { kind: "edit", target: `job ${i}`, photo: "a".repeat(64), priority: "interactive" };
    const { job } = await queue.submit({ request, key: `${process.pid} ${i}`, model, client: "client" });
    console.log(`accepted ${job.id}`);
  }
}

await Promise.all([work(), submit && ask()]);
