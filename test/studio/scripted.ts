import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import sharp from "sharp";
import { ImageError } from "../../src/core/index.ts";
import { ownHosts } from "../../src/http/index.ts";
import { isPng, readPngText } from "../../src/image/index.ts";
import type { Capabilities, Job, JobEvent, JobResult } from "../../src/server/api/index.ts";
import { hasEnded } from "../../src/server/api/states.ts";
import { NotFoundError } from "../../src/server/errors.ts";
import { type StudioFile, serverApp } from "../../src/server/http/index.ts";
import type { Service } from "../../src/server/service.ts";
import { capabilitiesWith } from "./capabilities.ts";

const dist = fileURLToPath(new URL("../../dist/studio/", import.meta.url));
const example = fileURLToPath(new URL("../../examples/dog.png", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".png": "image/png",
  ".md": "text/plain; charset=utf-8",
};

/** The built studio. */
const studioFiles = (): ReadonlyMap<string, StudioFile> =>
  new Map(
    readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((name) => extname(name))
      .map((name) => [name, { bytes: new Uint8Array(readFileSync(dist + name)), type: types[extname(name)] }]),
  );

/** Events as a script gives them: without their numbers. */
type Said = JobEvent extends infer E ? (E extends { seq: number } ? Omit<E, "seq"> : E) : never;

interface Scripted {
  readonly url: string;
  /** Jobs by id, as the server tells them. */
  readonly jobs: ReadonlyMap<string, Job>;
  /** The newest job. */
  last(): Job;
  /** Adds a job as it is. */
  add(job: Job): void;
  /** Reports an event of a job. */
  say(id: string, event: Said): void;
  /** Stores a picture and returns a reference to it. */
  picture(bytes: Buffer): Promise<{ id: string; width: number; height: number }>;
  /** Makes a result with these edits of the example: hue by keep. */
  result(options?: {
    readonly strip?: readonly number[];
    readonly chosen?: number;
    readonly facts?: Partial<JobResult>;
  }): Promise<JobResult>;
  /** Throws this at the next request for a job. */
  refuse(error: Error): void;
  /** Stops answering, as a server that is stopped. */
  stop(): Promise<void>;
  /** Answers again, at the same address, with the same jobs. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server of the studio whose jobs do what the test says. */
export async function startScripted(facts: Partial<Capabilities> = {}, token?: string): Promise<Scripted> {
  const capabilities = { ...capabilitiesWith(), ...facts };
  const pictures = new Map<string, Buffer>();
  const jobs = new Map<string, Job>();
  const events = new Map<string, JobEvent[]>();
  let count = 0;
  const listeners = new Set<() => void>();
  let refused: Error | undefined;

  const store = async (bytes: Buffer) => {
    const { width, height } = await sharp(bytes).metadata();
    const id = createHash("sha256").update(bytes).digest("hex");
    pictures.set(id, bytes);
    return { id, width, height };
  };
  const tinted = async (hue: number) => store(await sharp(example).resize(256).modulate({ hue }).png().toBuffer());

  const say = (id: string, said: Said): void => {
    const job = jobs.get(id);
    if (!job) throw new Error(`no job ${id}`);
    const known = events.get(id) ?? [];
    const event = { ...said, seq: known.length + 1 } as JobEvent;
    events.set(id, [...known, event]);
    const now = new Date().toISOString();
    const next: Record<string, Partial<Job>> = {
      state:
        "state" in said
          ? {
              state: said.state,
              attempts: said.attempts,
              error: said.error,
              result: said.result,
              position: undefined,
              ...(hasEnded(said.state) && { ended: now, progress: undefined, preview: undefined }),
            }
          : {},
      position: "position" in said ? { position: said.position } : {},
      progress: "progress" in said ? { progress: said.progress } : {},
      preview: "preview" in said ? { preview: said.preview } : {},
    };
    jobs.set(id, { ...job, ...next[said.type] });
    for (const wake of listeners) wake();
  };

  const jobOf = (id: string): Job => {
    const job = jobs.get(id);
    if (!job) throw new NotFoundError("there is no such job");
    return job;
  };
  const service: Service = {
    capabilities: async () => capabilities,
    async addPhoto(bytes) {
      try {
        const { baret: record } = isPng(bytes) ? readPngText(bytes) : {};
        const stored = await store(await sharp(bytes).rotate().png().toBuffer());
        return { ...stored, ...(record && { record: JSON.parse(record) }), warnings: [] };
      } catch (cause) {
        throw new ImageError("the file is no picture", { cause });
      }
    },
    async submit(request) {
      if (refused) {
        const error = refused;
        refused = undefined;
        throw error;
      }
      const at = count++;
      const id = createHash("md5").update(`${at}`).digest("hex");
      const position = [...jobs.values()].filter(({ state }) => !hasEnded(state)).length;
      const created = new Date(Date.UTC(2026, 10, 28) + 1000 * at).toISOString();
      const job: Job = { id, request, state: "queued", created, attempts: 0, position };
      jobs.set(id, job);
      return { job, isNew: true };
    },
    job: async (id) => jobOf(id),
    async jobs({ states, search = "", before, limit = 50 }) {
      const all = [...jobs.values()].reverse();
      const list = all
        .slice(before ? all.findIndex(({ id }) => id === before) + 1 : 0)
        .filter(({ state, request }) => (!states || states.includes(state)) && request.target.includes(search));
      return list.slice(0, limit);
    },
    leave: async () => undefined,
    async cancel(id) {
      const { state, attempts } = jobOf(id);
      if (!hasEnded(state)) say(id, { type: "state", state: "cancelled", attempts });
      return jobOf(id);
    },
    async remove(id) {
      jobs.delete(id);
    },
    async *events(id, { after = 0, signal }) {
      let [at, wake] = [after, (): void => undefined];
      const hear = (): void => wake();
      listeners.add(hear);
      signal.addEventListener("abort", hear);
      try {
        while (!signal.aborted) {
          for (const event of (events.get(id) ?? []).slice(at)) {
            at++;
            yield event;
          }
          if (hasEnded(jobOf(id).state)) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        listeners.delete(hear);
      }
    },
    async openPicture(id) {
      const bytes = await service.picture(id);
      return {
        bytes: bytes.length,
        async *read(start, end) {
          yield bytes.subarray(start, end);
        },
      };
    },
    async picture(id, side) {
      const bytes = pictures.get(id);
      if (!bytes) throw new NotFoundError("there is no such picture");
      return new Uint8Array(
        side === undefined ? bytes : await sharp(bytes).resize(side, side, { fit: "inside" }).webp().toBuffer(),
      );
    },
    inversions: async () => [],
    stats: async () => ({ queued: 0, running: 0, done: 0, failed: 0, cancelled: 0, workers: 1 }),
  };
  const app = serverApp({
    service,
    version: capabilities.version,
    isOwnHost: ownHosts(),
    studio: studioFiles(),
    ...(token && { token }),
    addressOf: () => "test",
  });

  const listen = (port: number) =>
    new Promise<ReturnType<typeof serve>>((resolve) => {
      const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => resolve(server));
    });
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      if ("closeAllConnections" in server) server.closeAllConnections();
    });
  return {
    url: `http://127.0.0.1:${port}/`,
    jobs,
    last: () => {
      const job = [...jobs.values()].at(-1);
      if (!job) throw new Error("no job was sent");
      return job;
    },
    add: (job) => void jobs.set(job.id, job),
    say,
    picture: store,
    async result({ strip = [], chosen, facts = {} } = {}) {
      const cost = { seconds: 4, evaluations: 100, gradients: 0 };
      const madeAt = async (name: string, keep: number | undefined) => ({
        name,
        picture: await tinted(Math.round(120 * (1 - (keep ?? 0)))),
        ...(keep !== undefined && { keep, match: 1 - keep }),
      });
      const edit = await madeAt("edit", chosen);
      return {
        pictures: [{ name: edit.name, picture: edit.picture, costs: { prepare: cost, edit: cost } }],
        ...(strip.length > 0 && { strip: await Promise.all(strip.map((keep) => madeAt(`keep ${keep}`, keep))) }),
        settings: { method: "baret" },
        ...(chosen !== undefined && { strength: { keep: chosen } }),
        reusedPreparation: false,
        warnings: [],
        seconds: 8,
        ...facts,
      };
    },
    refuse: (error) => {
      refused = error;
    },
    stop,
    async restart() {
      server = await listen(port);
    },
    close: stop,
  };
}

/** The photo of this package. */
export const examplePhoto = (): Promise<Buffer> => readFile(example);
