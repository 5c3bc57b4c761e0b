import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openQueue } from "../../../src/server/node/queue/index.ts";
import type { JobQueue } from "../../../src/server/queue.ts";
import { temporaryFolder } from "../../support/files.ts";
import { titled } from "../../support/needs.ts";
import { noPostgres, type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { allEvents, randomHex, someJob, someResult, takeNow } from "../../support/queueJobs.ts";
import { QueueProcess } from "../../support/queueProcess.ts";

// Processes and databases start, and the machine may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const settings = { heartbeatSeconds: 0.3, silentSeconds: 1.5 };

/** A link to a server's socket that can be cut: then nothing comes through, and nobody is told. */
function link(folder: string, target: string): Promise<{ cut(): void; heal(): void; close(): void }> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    const far = connect(target);
    for (const [a, b] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(a);
      a.pipe(b);
      a.on("error", () => b.destroy());
      a.on("close", () => sockets.delete(a));
      if (isCut) a.pause();
    }
  });
  const all = (work: (socket: Socket) => void): void => {
    for (const socket of sockets) work(socket);
  };
  return new Promise((resolve) => {
    server.listen(join(folder, ".s.PGSQL.5432"), () =>
      resolve({
        cut() {
          isCut = true;
          all((socket) => socket.pause());
        },
        heal() {
          isCut = false;
          all((socket) => socket.resume());
        },
        close() {
          all((socket) => socket.destroy());
          server.close();
        },
      }),
    );
  });
}

describe.skipIf(noPostgres)(titled("faults, with a Postgres server", noPostgres), () => {
  let server: PostgresServer;
  let queue: JobQueue;
  const running: QueueProcess[] = [];
  const worker = (model: string, milliseconds: number): QueueProcess => {
    const process = new QueueProcess({ database: server.url, settings }, model, milliseconds);
    running.push(process);
    return process;
  };
  const path = temporaryFolder();
  beforeAll(async () => {
    server = startPostgres();
    queue = await openQueue({ database: server.url, settings });
  });
  afterEach(() => Promise.all(running.splice(0).map((process) => process.kill())));
  afterAll(async () => {
    await queue?.close();
    server?.delete();
  });

  test("several processes may make the tables at once", async () => {
    const other = startPostgres();
    try {
      const queues = await Promise.all(Array.from({ length: 4 }, () => openQueue({ database: other.url })));
      await queues[0].submit(someJob());
      expect(await queues[3].stats()).toMatchObject({ queued: 1 });
      await Promise.all(queues.map((one) => one.close()));
    } finally {
      other.delete();
    }
  });

  test("events and cancels reach other processes at once", async () => {
    const other = await openQueue({ database: server.url, settings });
    const asked = someJob();
    const { job } = await queue.submit(asked);
    const lease = await takeNow(other, asked.model);
    const start = performance.now();
    const reason = new Promise((resolve) => lease.signal.addEventListener("abort", () => resolve(lease.signal.reason)));
    const events = allEvents(other, job.id);
    await queue.cancel(job.id, "ann");
    expect(await reason).toBe("cancelled");
    expect((await events).at(-1)).toMatchObject({ state: "cancelled" });
    expect(performance.now() - start).toBeLessThan(4000);
    await other.close();
  });

  test("the job of a killed worker is done by another one, once", async () => {
    const asked = someJob();
    const first = worker(asked.model, 60_000);
    const { job } = await queue.submit(asked);
    await first.said("took");
    await first.kill();
    const second = worker(asked.model, 10);
    await second.said(`done ${job.id}`);
    expect(await queue.get(job.id)).toMatchObject({ state: "done", attempts: 2, result: { seconds: second.pid } });
    const states = (await allEvents(queue, job.id)).flatMap((event) => (event.type === "state" ? [event.state] : []));
    expect(states).toEqual(["queued", "running", "queued", "running", "done"]);
  });

  test("a restart of the database loses nothing: running jobs are completed by their workers, calls wait", async () => {
    const asked = someJob();
    const first = worker(asked.model, 1000);
    const { job } = await queue.submit(asked);
    const events = allEvents(queue, job.id);
    await first.said("took");
    server.stop();
    const during = queue.submit(someJob({ model: asked.model }));
    setTimeout(() => server.start(), 2000);
    await first.said(`done ${job.id}`);
    expect(await queue.get(job.id)).toMatchObject({ state: "done", attempts: 1 });
    const states = (await events).flatMap((event) => (event.type === "state" ? [event.state] : []));
    expect(states).toEqual(["queued", "running", "done"]);
    await first.said(`done ${(await during).job.id}`);
  });

  test("a worker behind a cut network loses its job to another one, and hears so when the network is back", async () => {
    const folder = path();
    const network = await link(folder, `${new URL(server.url).searchParams.get("host")}/.s.PGSQL.5432`);
    const url = new URL(server.url);
    url.searchParams.set("host", folder);
    const far = await openQueue({ database: url.href, settings });
    const asked = someJob();
    const { job } = await queue.submit(asked);
    const lost = await takeNow(far, asked.model);
    const reason = new Promise((resolve) => lost.signal.addEventListener("abort", () => resolve(lost.signal.reason)));
    network.cut();
    const other = await takeNow(queue, asked.model);
    expect(other).toMatchObject({ attempt: 2, job: { id: job.id } });
    network.heal();
    expect(await reason).toBe("lost");
    expect(await lost.complete(someResult({ seconds: 1 }))).toBe(false);
    expect(await other.complete(someResult({ seconds: 2 }))).toBe(true);
    expect(await queue.get(job.id)).toMatchObject({ state: "done", result: { seconds: 2 } });
    await far.close();
    network.close();
  });

  test("a database that cannot be reached is an error that says so, without the password", async () => {
    const opening = openQueue({ database: `postgres://ann:secret@127.0.0.1:1/${randomHex(4)}` });
    const error = await opening.catch((cause) => cause);
    expect(error.message).toMatch(
      /^postgres:\/\/127\.0\.0\.1:1\/.*cannot connect to the queue's database: found .*ECONNREFUSED/,
    );
    expect(error.message).not.toContain("secret");
  });

  test("tables of a newer baret are left alone", async () => {
    const other = startPostgres();
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: other.url });
    try {
      await (await openQueue({ database: other.url })).close();
      await client.connect();
      await client.query("update baret.version set version = 99");
      await expect(openQueue({ database: other.url })).rejects.toThrow(
        /made by a newer baret: found version 99, expected at most/,
      );
    } finally {
      await client.end();
      other.delete();
    }
  });

  test("the time from a submission to a waiting worker is printed", async () => {
    const model = randomHex();
    const times: number[] = [];
    for (let i = 0; i < 100; i++) {
      const taken = queue.take([model], "worker", AbortSignal.timeout(20_000));
      const start = performance.now();
      await queue.submit(someJob({ model }));
      const lease = await taken;
      times.push(performance.now() - start);
      await lease?.complete(someResult());
    }
    times.sort((a, b) => a - b);
    console.log(`submit to take: p50 ${times[50].toFixed(1)} ms, p99 ${times[98].toFixed(1)} ms`);
    expect(times[98]).toBeLessThan(4000);
  });
});
