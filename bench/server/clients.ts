/** Clients of a server: each is known to it by a cookie of its own, and goes on after failures of the server. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hasEnded, type Job, type JobEvent, type StoredPhoto } from "../../src/server/api/index.ts";
import { photoFile } from "./programs.ts";

/** Longest time for one request, with all its repetitions. */
const PATIENCE_MS = 300_000;

export class Client {
  /** Requests that the server did not answer, or answered with 429 or 5xx. Each was sent again. */
  repeated = 0;
  private readonly url: string;
  private cookie = "";

  constructor(url: string) {
    this.url = url;
  }

  async open(): Promise<void> {
    const answer = await this.ask("api/v1/session", { method: "POST" });
    this.cookie = answer.headers.get("set-cookie")!.split(";")[0];
  }

  async addPhoto(): Promise<string> {
    const headers = { "content-type": "image/png" };
    const answer = await this.ask("api/v1/photos", { method: "POST", headers, body: readFileSync(photoFile) });
    return ((await answer.json()) as StoredPhoto).id;
  }

  async submit(request: object): Promise<Job> {
    const headers = { "content-type": "application/json" };
    const answer = await this.ask("api/v1/edits", { method: "POST", headers, body: JSON.stringify(request) });
    return (await answer.json()) as Job;
  }

  /** Waits until a job has ended. */
  async ended(id: string): Promise<Job> {
    for (;;) {
      const answer = await this.ask(`api/v1/jobs/${id}/result?wait=30`);
      await answer.arrayBuffer();
      const job = await this.job(id);
      if (hasEnded(job.state)) return job;
    }
  }

  async job(id: string): Promise<Job> {
    return (await (await this.ask(`api/v1/jobs/${id}`)).json()) as Job;
  }

  /** Returns the stored events of a job that has ended. */
  async events(id: string): Promise<JobEvent[]> {
    const text = await (await this.ask(`api/v1/jobs/${id}/events?after=0`)).text();
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data) as JobEvent);
  }

  /** Returns a picture, whose name is the hash of its bytes. */
  async picture(id: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.ask(`api/v1/pictures/${id}`)).arrayBuffer());
  }

  /** Sends a request until the server answers it with anything but an overload or a failure. */
  private async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), ...(this.cookie && { cookie: this.cookie }) };
    for (const began = performance.now(); performance.now() < began + PATIENCE_MS; ) {
      const answer = await fetch(new URL(path, this.url), { ...init, headers }).catch(() => undefined);
      if (answer && answer.status !== 429 && answer.status < 500) return answer;
      await answer?.arrayBuffer().catch(() => undefined);
      this.repeated++;
      await sleep(1000 * Math.max(0.5, Math.min(5, Number(answer?.headers.get("retry-after") ?? 0))));
    }
    throw new Error(`${path}: no answer for ${PATIENCE_MS / 1000} s`);
  }
}

export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Returns the request of small job k: no two are equal. */
export const smallJob = (photo: string, k: number, size = "64x64") => ({
  photo,
  size,
  target: "a dog",
  method: "sdedit",
  options: { steps: 2, strength: 1, seed: k },
});

/** Returns the value below which so large a share lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
