import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, test, vi } from "vitest";
import { decodeImage, encodePng } from "../../src/image/node/index.ts";
import type { JobEvent } from "../../src/server/api/index.ts";
import { connect } from "../../src/server/client/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";
import { noPostgres, titled } from "../support/needs.ts";
import { type PostgresServer, startPostgres } from "../support/postgres.ts";

// Server and workers as programs, with Postgres and an S3-compatible store, as docs/server.md starts them.

// Six processes start, the dead worker's silence is waited for, and the machine may be busy.
vi.setConfig({ testTimeout: 600_000 });

const at = temporaryFolder();
const target = "a dog lying down";
const tiny = fixturePath("tiny-sd1");

/** A program that runs beside the test. */
class Program {
  /** Lines of its standard output. */
  readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private errors = "";

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    createInterface(this.child.stdout!).on("line", (line) => this.lines.push(line));
    this.child.stderr!.on("data", (text) => {
      this.errors += text;
    });
  }

  /** Waits for a line of its standard output. */
  async said(what: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => what.test(line));
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.lines.join("\n")} ${this.errors}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

const running: Program[] = [];
let postgres: PostgresServer | undefined;

afterAll(() => {
  for (const program of running) program.kill("SIGKILL");
  postgres?.delete();
});

function started(...of: ConstructorParameters<typeof Program>): Program {
  const program = new Program(...of);
  running.push(program);
  return program;
}

/** Starts an S3-compatible store with the bucket "blobs". Returns the variables that name it. */
async function startStore(): Promise<Record<string, string>> {
  const options = {
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory: at("s3"),
    configureBuckets: [{ name: "blobs" }],
  };
  mkdirSync(at("s3"));
  const code = `new (require("@20minutes/s3rver"))(${JSON.stringify(options)}).run().then(({ port }) => console.log(port))`;
  const port = await started(["-e", code]).said(/^\d+$/);
  return {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
  };
}

test.skipIf(noPostgres)(
  titled(
    "baret worker killed with -9: another one goes on from the stored steps, with the bytes of the local command",
    noPostgres,
  ),
  async () => {
    postgres = startPostgres();
    const store = await startStore();
    const place = ["--database", postgres.url, "--blobs", "s3://blobs/results", "--model", tiny, "--json"];
    const baret = (cache: string, ...args: string[]): Program =>
      started([resolve("dist/cli/main.js"), ...args, ...place], { ...store, BARET_CACHE: at(cache) });
    const server = baret("cache", "serve", "--no-open", "--port", "0", "--no-work");
    const workers = ["w1", "w2"].map((name) => baret(name, "worker", "--name", name, "--threads", "1"));

    const { url } = JSON.parse(await server.said(/"url"/)) as { url: string };
    await vi.waitUntil(async () => (await fetch(`${url}health`)).ok, { timeout: 120_000, interval: 100 });
    const client = connect(url);
    const photo = new Uint8Array(await encodePng(smoothPicture(1)));
    const { id: stored } = await client.addPhoto(photo);
    // It takes some 15 seconds. A worker stores its steps after 5.
    const [steps, iterations] = [20, 40];
    const options = { steps, iterations, earlyStop: false };
    const { id } = await client.submit({ kind: "edit", photo: stored, target, method: "baret", options });
    const events: JobEvent[] = [];
    const watched = (async () => {
      for await (const event of client.events(id, AbortSignal.timeout(500_000))) events.push(event);
    })();

    const first = await Promise.race(workers.map(async (worker) => ({ worker, line: await worker.said(/"began"/) })));
    expect(JSON.parse(first.line)).toMatchObject({ job: id, attempt: 1 });
    // The photo is inverted in `steps` steps, then its embedding is tuned in as many.
    const kept = await vi.waitUntil(
      async () => (await client.inversions()).find(({ done, total }) => done > steps && done < total),
      { timeout: 120_000, interval: 50 },
    );
    first.worker.kill("SIGKILL");
    const killedAt = events.length;

    // The dead worker's silence lasts longer than this.
    writeFileSync(at("photo.png"), photo);
    vi.stubEnv("BARET_CACHE", at("local"));
    const settings = ["--steps", `${steps}`, "--iterations", `${iterations}`, "--no-early-stop"];
    await inProcess("edit", at("photo.png"), target, "--model", tiny, "--threads", "1", "-o", at("o.png"), ...settings);
    vi.unstubAllEnvs();

    await watched;
    const [other] = workers.filter((worker) => worker !== first.worker);
    expect(JSON.parse(await other.said(/"began"/))).toMatchObject({ job: id, attempt: 2 });
    const states = events.flatMap((event) => (event.type === "state" ? [event.state] : []));
    expect(states).toEqual(["queued", "running", "queued", "running", "done"]);
    const later = events.slice(killedAt).flatMap((event) => (event.type === "progress" ? [event.progress] : []));
    expect(later.map(({ phase }) => phase)).not.toContain("invert");
    expect(later.find(({ phase }) => phase === "tune")!.done).toBeGreaterThanOrEqual(kept.done - steps);
    const { result } = await client.job(id);
    const made = await client.picture(result!.pictures[0].picture.id);
    expect((await decodeImage(made)).data).toEqual((await decodeImage(at("o.png"))).data);
  },
);
