/** One server with its embedded queue, without faults: how soon the studio answers, memory when idle and over many edits, delay of its event loop. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processTreeMemory } from "../../src/runtime/node/index.ts";
import { Client, quantile, smallJob } from "./clients.ts";
import { descendants, openFolder, Program, tinyModel, untilReady } from "./programs.ts";

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** Resident memory of one process in bytes. */
const residentOf = (pid: number): number => {
  const [, kilobytes = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return 1024 * Number(kilobytes);
};

/** Delays of the event loop up to each bound in seconds, since the server's start. */
type Delays = ReadonlyMap<number, number>;

async function readDelays(url: string): Promise<Delays> {
  const text = await (await fetch(new URL("metrics", url))).text();
  const buckets = text.matchAll(/^baret_event_loop_delay_seconds_bucket\{le="(\S+)"\} (\d+)/gm);
  return new Map([...buckets].map(([, bound, count]) => [Number(bound.replace("+Inf", "Infinity")), Number(count)]));
}

/** Returns the smallest bound in milliseconds that 99 % of the delays between two readings do not exceed. */
function loopDelay(before: Delays, after: Delays): number {
  const counts = [...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)] as const);
  const all = counts.at(-1)?.[1] ?? 0;
  return 1000 * (counts.find(([, count]) => count >= 0.99 * all)?.[0] ?? Number.NaN);
}

export async function measureSteady(edits: number): Promise<void> {
  const folder = openFolder();
  const cache = join(folder.path, "cache");
  mkdirSync(cache);
  const args = [
    "serve",
    "--no-open",
    "--port",
    "0",
    "--json",
    "--data",
    join(folder.path, "data"),
    "--model",
    tinyModel,
  ];
  let program = new Program(args, cache);
  try {
    // The first start unpacks the queue and reads the model; those of every day do not.
    const first = await started(program);
    console.log(
      `first start: the studio answers after ${first.page.toFixed(2)} s, jobs after ${first.ready.toFixed(2)} s`,
    );
    await program.kill();
    program = new Program(args, cache);
    const { url, page, ready } = await started(program);
    console.log(`later start: the studio answers after ${page.toFixed(2)} s, jobs after ${ready.toFixed(2)} s`);
    await sleep(10_000);
    const pid = program.process.pid!;
    const children = descendants(pid);
    const pss = processTreeMemory(pid)?.pss ?? 0;
    const rss = [pid, ...children].reduce((sum, one) => sum + residentOf(one), 0);
    console.log(
      `idle: ${megabytes(pss)} (PSS) in ${1 + children.length} processes, resident sizes ${megabytes(rss)} in sum`,
    );

    const clients = Array.from({ length: 4 }, () => new Client(url));
    const delays: number[] = [];
    const memory: number[] = [];
    let last = await readDelays(url);
    const began = performance.now();
    let next = 0;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        await sleep(2000);
        const now = await readDelays(url);
        delays.push(loopDelay(last, now));
        last = now;
      }
    })();
    await Promise.all(
      clients.map(async (client) => {
        await client.open();
        const photo = await client.addPhoto();
        while (next < edits) {
          const k = next++;
          const job = await client.ended((await client.submit(smallJob(photo, k))).id);
          if (job.state !== "done") throw new Error(`edit ${k}: ${job.state}: ${job.error?.message}`);
          if (k % Math.ceil(edits / 10) === 0) memory.push(residentOf(pid));
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    isOver = true;
    await watching;
    memory.push(residentOf(pid));
    console.log(`${edits} edits in ${seconds.toFixed(0)} s, ${(edits / seconds).toFixed(1)} a second`);
    console.log(`resident memory of the server's process at each tenth: ${memory.map(megabytes).join(", ")}`);
    console.log(
      `event loop, p99 of each 2 s: median at most ${quantile(delays, 0.5)} ms, highest at most ${Math.max(...delays)} ms`,
    );
  } finally {
    await program.kill();
    folder.remove();
  }
}

/** Waits for a server's page and for its queue. Times in seconds since its command. */
async function started(program: Program): Promise<{ url: string; page: number; ready: number }> {
  const { url } = JSON.parse(await program.firstLine()) as { url: string };
  const answer = await fetch(url);
  await answer.text();
  if (!answer.ok) throw new Error(`the studio answers with status ${answer.status}`);
  const page = (performance.now() - program.began) / 1000;
  await untilReady(url);
  return { url, page, ready: (performance.now() - program.began) / 1000 };
}
