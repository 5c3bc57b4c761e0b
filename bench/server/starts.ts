/** Kills servers with an embedded queue while they start: at their first start, after a kill, and while old tables are brought up to date. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, smallJob } from "./clients.ts";
import { openFolder, Program, photoFile, startServer, tinyModel, untilReady } from "./programs.ts";

/** Brings the tables of a closed queue back to their first version, as an older baret left them. */
const DOWNGRADE = `
import { PGlite } from "@electric-sql/pglite";
const database = await PGlite.create(process.argv[1]);
await database.exec("alter table baret.jobs drop column further; update baret.version set version = 1");
await database.close();`;

export async function measureStarts(kills: number): Promise<void> {
  const folder = openFolder();
  const cache = join(folder.path, "cache");
  mkdirSync(cache);
  const argsOf = (data: string): string[] => ["--data", data, "--model", tinyModel, "--threads", "1"];
  const problems: string[] = [];
  try {
    // A queue with jobs that wait, of an older version, and how long starts take on this machine.
    const old = join(folder.path, "old");
    const first = performance.now();
    const { program, url } = await startServer([...argsOf(old), "--no-work"], cache);
    const startMs = performance.now() - first;
    const client = new Client(url);
    await client.open();
    const photo = await client.addPhoto();
    const waiting: string[] = [];
    for (let k = 0; k < 5; k++) waiting.push((await client.submit(smallJob(photo, k))).id);
    const ended = new Promise((resolve) => program.process.once("exit", resolve));
    program.process.kill("SIGTERM");
    await ended;
    execFileSync(process.execPath, ["--input-type=module", "-e", DOWNGRADE, join(old, "queue")]);

    for (let trial = 0; trial < kills; trial++) {
      const data = join(folder.path, `trial${trial}`);
      const isOld = trial % 2 === 1;
      if (isOld) cpSync(old, data, { recursive: true });
      const problem = await trialOf(argsOf(data), cache, isOld ? waiting : [], trial, startMs);
      if (problem) problems.push(`${isOld ? "old tables" : "first start"}, ${problem}`);
      rmSync(data, { recursive: true, force: true });
    }
    console.log(
      `${kills} servers killed while they started, twice each, at random moments of the first ${(startMs / 1000).toFixed(1)} s; half of them with old tables and 5 jobs`,
    );
    if (problems.length > 0) throw new Error(`${problems.length} problems:\n${problems.slice(0, 20).join("\n")}`);
    console.log("Each of them started afterwards, and no accepted job was lost.");
  } finally {
    folder.remove();
  }
}

/** Kills a server twice while it starts, then lets it start, and looks for its jobs. Returns what is wrong. */
async function trialOf(
  args: string[],
  cache: string,
  waiting: readonly string[],
  trial: number,
  startMs: number,
): Promise<string | undefined> {
  const accepted = [...waiting];
  for (let kill = 0; kill < 2; kill++) {
    const moment = startMs * Math.random();
    const program = new Program(["serve", "--no-open", "--port", "0", "--json", ...args, "--no-work"], cache);
    const submitting = submitSoon(program, 1000 * trial + kill, accepted);
    await sleep(moment);
    await program.kill();
    await submitting;
  }
  const last = await startServer(args, cache).catch((error: unknown) => error as Error);
  if (last instanceof Error) return `it does not start: ${last.message}`;
  try {
    const client = new Client(last.url);
    for (const id of accepted) {
      const job = await client.ended(id).catch((error: unknown) => error as Error);
      if (job instanceof Error) return `${id} is lost: ${job.message}`;
      if (job.state !== "done") return `${id}: ${job.state} ${job.error?.message ?? ""}`;
    }
    return undefined;
  } finally {
    await last.program.kill();
  }
}

/** Submits one job as soon as a server takes it, unless it is killed before. */
async function submitSoon(program: Program, k: number, accepted: string[]): Promise<void> {
  try {
    const { url } = JSON.parse(await program.firstLine()) as { url: string };
    await untilReady(url, () => program.hasEnded);
    const headers = { "content-type": "image/png" };
    const body = readFileSync(photoFile);
    const photo = await fetch(new URL("api/v1/photos", url), { method: "POST", headers, body });
    const { id } = (await photo.json()) as { id: string };
    const answer = await fetch(new URL("api/v1/edits", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(smallJob(id, k)),
    });
    if (answer.ok) accepted.push(((await answer.json()) as { id: string }).id);
  } catch {
    // It was killed before it took the job.
  }
}
