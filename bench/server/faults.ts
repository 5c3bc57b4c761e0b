/**
 * Many small jobs on a queue in Postgres, whose workers are killed, whose database is restarted, and one of whose workers loses its
 * network for a while. Every job must end exactly once, with the right picture.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as baret from "../../src/index.ts";
import type { Job } from "../../src/server/api/index.ts";
import { Client, hashOf, quantile, smallJob } from "./clients.ts";
import { Network, openFolder, Postgres, Program, photoFile, startServer, tinyModel } from "./programs.ts";

export interface FaultOptions {
  readonly jobs: number;
  readonly clients: number;
  readonly workers: number;
  /** Seconds between two kills of a worker. */
  readonly kill: number;
  /** Seconds for which one worker has no network. */
  readonly cut: number;
}

const PORT = 54_991;
/** Address of this machine in the first network. */
const HERE = "10.88.0.1";

export async function measureFaults({ jobs, clients, workers, kill, cut }: FaultOptions): Promise<void> {
  const folder = openFolder();
  const networks = Array.from({ length: workers }, (_, k) => new Network(k));
  const postgres = new Postgres(folder.path, HERE, PORT);
  const [cache, blobs] = [join(folder.path, "cache"), join(folder.path, "blobs")];
  mkdirSync(cache);
  const place = ["--database", postgres.url, "--blobs", blobs, "--model", tinyModel];
  const programs: Program[] = [];
  try {
    const { program, url } = await startServer([...place, "--no-work"], cache);
    programs.push(program);
    const startWorker = (k: number): Program =>
      new Program(["worker", ...place, "--name", `w${k}`, "--threads", "1"], cache, networks[k]);
    const running = networks.map((_, k) => startWorker(k));
    programs.push(...running);

    let isOver = false;
    let kills = 0;
    // The worker without a network is killed by nobody else: it must live through that.
    let cutOff: number | undefined;
    const killing = async (): Promise<void> => {
      for (let k = 0; !isOver; k = (k + 1) % workers) {
        await sleep(kill * 1000);
        if (isOver) return;
        if (k === cutOff) continue;
        await running[k].kill();
        kills++;
        running[k] = startWorker(k);
        programs.push(running[k]);
      }
    };
    const problems: string[] = [];
    /** Cuts a worker's network for a while. The worker must live through that, and take jobs again. */
    const cutting = async (k: number): Promise<void> => {
      cutOff = k;
      // It may be dying, or may not have begun.
      await sleep(1000);
      const worker = running[k];
      while (worker.printed === "" && !worker.hasEnded) await sleep(100);
      networks[k].cut();
      console.log(`Worker ${k} has no network.`);
      await sleep(cut * 1000);
      networks[k].heal();
      console.log(`Worker ${k} has its network again.`);
      let worksOn = false;
      worker.process.stdout!.on("data", (text: Buffer) => {
        worksOn ||= text.includes(" done in ");
      });
      while (!isOver && !worker.hasEnded && !worksOn) await sleep(100);
      cutOff = undefined;
      if (worker.hasEnded) problems.push(`worker ${k} died without a network: ${worker.printed}`);
      else console.log(worksOn ? `Worker ${k} works on.` : `Worker ${k} lives, but all jobs ended without it.`);
    };
    const harming = async (): Promise<void> => {
      await sleep(20_000);
      postgres.stop();
      console.log("The database stopped.");
      await sleep(3000);
      postgres.start();
      console.log("The database started again.");
      await sleep(10_000);
      await cutting(1 % workers);
    };

    const began = performance.now();
    const faults = [killing(), harming()];
    const asked = Array.from({ length: clients }, () => new Client(url));
    const ended = (await Promise.all(asked.map((client, c) => ofClient(client, c, jobs, clients)))).flat();
    const seconds = (performance.now() - began) / 1000;
    isOver = true;
    await Promise.all(faults);

    problems.push(...(await problemsOf(ended, asked[0])));
    const waits = ended.map(({ job }) => (Date.parse(job.started ?? job.created) - Date.parse(job.created)) / 1000);
    const attempts = ended.filter(({ job }) => job.attempts > 1).length;
    const repeated = asked.reduce((sum, client) => sum + client.repeated, 0);
    console.log(
      `${jobs} jobs of ${clients} clients, ${workers} workers: ${seconds.toFixed(0)} s, ${(jobs / seconds).toFixed(1)} jobs a second`,
    );
    console.log(`waiting: median ${quantile(waits, 0.5).toFixed(1)} s, p99 ${quantile(waits, 0.99).toFixed(1)} s`);
    console.log(
      `${kills} workers killed, ${attempts} jobs took more than one attempt, ${repeated} requests sent again`,
    );
    if (problems.length > 0) throw new Error(`${problems.length} problems:\n${problems.slice(0, 20).join("\n")}`);
    console.log("Every job ended once, with the right picture.");
  } finally {
    for (const one of programs) await one.kill();
    postgres.stop();
    for (const one of networks) one.remove();
    folder.remove();
  }
}

interface Ended {
  readonly k: number;
  readonly job: Job;
}

/** Queues a client's share of the jobs, and waits for all of them. */
async function ofClient(client: Client, c: number, jobs: number, clients: number): Promise<Ended[]> {
  await client.open();
  const photo = await client.addPhoto();
  const own = Array.from({ length: jobs }, (_, k) => k).filter((k) => k % clients === c);
  const submitted: { k: number; id: string }[] = [];
  for (const k of own) submitted.push({ k, id: (await client.submit(smallJob(photo, k))).id });
  const ended: Ended[] = [];
  for (const { k, id } of submitted) ended.push({ k, job: await client.ended(id) });
  return ended;
}

/** Compares every job with the same edit in this process, and counts its ends. */
async function problemsOf(ended: readonly Ended[], client: Client): Promise<string[]> {
  const model = await baret.loadModel(tinyModel, { threads: 1 });
  const problems: string[] = [];
  try {
    for (const { k, job } of ended) {
      const [made] = job.result?.pictures ?? [];
      if (job.state !== "done" || !made) {
        problems.push(`job ${k}: ${job.state}, ${job.error?.message}`);
        continue;
      }
      const ends = (await client.events(job.id)).filter((event) => event.type === "state" && event.state === "done");
      if (ends.length !== 1) problems.push(`job ${k}: ended ${ends.length} times`);
      const bytes = await client.picture(made.picture.id);
      if (hashOf(bytes) !== made.picture.id) problems.push(`job ${k}: its bytes have another hash`);
      const { target, options } = smallJob("", k);
      const { steps, ...edit } = options;
      const prepared = await baret.sdedit.prepare(model, photoFile, {
        target,
        size: { width: 64, height: 64 },
        steps,
        cache: false,
      });
      const { images } = await baret.sdedit.edit(model, prepared, edit);
      const { data } = await baret.decodeImage(bytes);
      if (Buffer.compare(data, images.edit.data) !== 0) problems.push(`job ${k}: another picture`);
    }
  } finally {
    await model.close();
  }
  return problems;
}
