import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import sharp from "sharp";
import { type Capabilities, type Job, type JobEvent, type JobResult, jobRequest } from "../../src/server/api/index.ts";
import { hasEnded } from "../../src/server/api/states.ts";
import { capabilitiesWith } from "./capabilities.ts";

const dist = fileURLToPath(new URL("../../dist/studio", import.meta.url));
const example = fileURLToPath(new URL("../../examples/dog.png", import.meta.url));

const policy =
  "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Reported events, as a script gives them. */
type Said = JobEvent extends infer E ? (E extends { seq: number } ? Omit<E, "seq"> : E) : never;

interface Scripted {
  readonly url: string;
  /** Jobs by id, as the server tells them. */
  readonly jobs: ReadonlyMap<string, Job>;
  /** The newest job. */
  last(): Job;
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
  /** Refuses the next requests for a job with this answer. */
  refuse(status: number, error: Record<string, unknown>): void;
  /** Stops answering, as a server that is stopped. */
  stop(): Promise<void>;
  /** Answers again, at the same address, with the same jobs. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server of the studio whose jobs do what the test says. */
export async function startScripted(facts: Partial<Capabilities> = {}): Promise<Scripted> {
  const capabilities = { ...capabilitiesWith(), ...facts };
  const pictures = new Map<string, Buffer>();
  const jobs = new Map<string, Job>();
  const events = new Map<string, JobEvent[]>();
  const listeners = new Set<() => void>();
  let refusal: { status: number; error: Record<string, unknown> } | undefined;

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

  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    c.header("content-security-policy", policy);
  });
  const api = app.basePath("/api/v1");
  api.get("/capabilities", (c) => c.json(capabilities));
  api.post("/photos", async (c) => {
    const bytes = Buffer.from(await c.req.arrayBuffer());
    try {
      const { comments } = await sharp(bytes).metadata();
      const record = comments?.find(({ keyword }) => keyword === "baret")?.text;
      const stored = await store(await sharp(bytes).rotate().png().toBuffer());
      return c.json({ ...stored, ...(record && { record: JSON.parse(record) }), warnings: [] });
    } catch {
      return c.json(
        { error: { message: "The photo is not a picture.", type: "invalid_request_error", code: "image" } },
        400,
      );
    }
  });
  api.post("/jobs", async (c) => {
    if (refusal) {
      const { status, error } = refusal;
      refusal = undefined;
      return c.json({ error }, status as 400);
    }
    const request = jobRequest.parse(await c.req.json());
    const id = createHash("md5").update(`${jobs.size}`).digest("hex");
    const job: Job = {
      id,
      request,
      state: "queued",
      created: new Date(Date.now() + jobs.size).toISOString(),
      attempts: 0,
      position: [...jobs.values()].filter(({ state }) => !hasEnded(state)).length,
    };
    jobs.set(id, job);
    return c.json(job, 202);
  });
  api.get("/jobs", (c) => {
    const states = c.req.query("states")?.split(",");
    const list = [...jobs.values()].reverse().filter(({ state }) => !states || states.includes(state));
    return c.json({ jobs: list.slice(0, Number(c.req.query("limit") ?? 100)) });
  });
  api.get("/jobs/:id", (c) => c.json(jobs.get(c.req.param("id")) ?? {}));
  api.get("/jobs/:id/events", (c) =>
    streamSSE(c, async (stream) => {
      const id = c.req.param("id");
      let at = Number(c.req.header("last-event-id") ?? 0);
      let wake = (): void => undefined;
      const hear = (): void => wake();
      listeners.add(hear);
      stream.onAbort(() => {
        listeners.delete(hear);
        wake();
      });
      while (!stream.aborted) {
        for (const event of (events.get(id) ?? []).slice(at)) {
          await stream.writeSSE({ data: JSON.stringify(event), id: String(++at) });
        }
        if (hasEnded(jobs.get(id)?.state ?? "done")) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      listeners.delete(hear);
    }),
  );
  const cancel = (id: string): void => {
    const job = jobs.get(id);
    if (job && !hasEnded(job.state)) say(id, { type: "state", state: "cancelled", attempts: job.attempts });
  };
  api.post("/jobs/cancel", (c) => {
    for (const id of jobs.keys()) cancel(id);
    return c.json({});
  });
  api.post("/jobs/:id/cancel", (c) => {
    cancel(c.req.param("id"));
    return c.json(jobs.get(c.req.param("id")));
  });
  api.delete("/jobs/:id", (c) => {
    jobs.delete(c.req.param("id"));
    return c.body(null, 204);
  });
  api.get("/inversions", (c) => c.json([]));
  api.get("/pictures/:id", async (c) => {
    const bytes = pictures.get(c.req.param("id"));
    if (!bytes) return c.notFound();
    const side = Number(c.req.query("side") ?? 0);
    const small = side ? await sharp(bytes).resize(side, side, { fit: "inside" }).webp().toBuffer() : bytes;
    return c.body(new Uint8Array(small), 200, { "content-type": side ? "image/webp" : "image/png" });
  });
  app.use(serveStatic({ root: dist }));

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
    refuse: (status, error) => {
      refusal = { status, error };
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
