/** Kills a server with its embedded queue at random moments. Every job that it has accepted must end, once, in a later life. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, hashOf, smallJob } from "./clients.ts";
import { openFolder, photoFile, startServer, tinyModel } from "./programs.ts";

/** Longest life of a server in milliseconds, from its readiness. */
const LONGEST_LIFE_MS = 3000;

export async function measureKills(kills: number): Promise<void> {
  const folder = openFolder();
  const cache = join(folder.path, "cache");
  mkdirSync(cache);
  const args = ["--data", join(folder.path, "data"), "--model", tinyModel, "--threads", "1", "--max-queued", "10000"];
  const accepted = new Set<string>();
  let [k, photo] = [0, ""];
  try {
    for (let life = 0; life < kills; life++) {
      const { program, url } = await startServer(args, cache);
      let isAlive = true;
      const submitting = (async () => {
        while (isAlive) {
          try {
            if (photo === "") photo = await upload(url);
            const job = await submitOnce(url, smallJob(photo, k));
            if (job) {
              accepted.add(job);
              k++;
            }
          } catch {
            // The server was killed in the middle of a request. The next life gets the same job.
          }
          await sleep(20 + 100 * Math.random());
        }
      })();
      await sleep(LONGEST_LIFE_MS * Math.random());
      await program.kill();
      isAlive = false;
      await submitting;
    }
    const { program, url } = await startServer(args, cache);
    const client = new Client(url);
    const problems: string[] = [];
    let retried = 0;
    for (const id of accepted) {
      const job = await client.ended(id).catch(() => undefined);
      const picture = job?.result?.pictures[0]?.picture.id;
      if (job?.state !== "done" || picture === undefined)
        problems.push(`${id}: ${job?.state ?? "lost"} ${job?.error?.message ?? ""}`);
      else if (hashOf(await client.picture(picture)) !== picture) problems.push(`${id}: its picture is damaged`);
      if ((job?.attempts ?? 0) > 1) retried++;
    }
    await program.kill();
    console.log(`${kills} kills, ${accepted.size} jobs accepted, ${retried} took more than one attempt`);
    if (problems.length > 0) throw new Error(`${problems.length} problems:\n${problems.slice(0, 20).join("\n")}`);
    console.log("Every accepted job ended.");
  } finally {
    folder.remove();
  }
}

const headers = { "content-type": "image/png" };

async function upload(url: string): Promise<string> {
  const answer = await fetch(new URL("api/v1/photos", url), { method: "POST", headers, body: readFileSync(photoFile) });
  return ((await answer.json()) as { id: string }).id;
}

/** Returns the id of the accepted job, or undefined if the server refused it. */
async function submitOnce(url: string, request: object): Promise<string | undefined> {
  const answer = await fetch(new URL("api/v1/edits", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  const body = (await answer.json()) as { id?: string };
  return answer.ok ? body.id : undefined;
}
