import { Hono } from "hono";
import sharp from "sharp";
import { expect, test, vi } from "vitest";
import { methods } from "../../src/editing/index.ts";
import { ownHosts } from "../../src/http/index.ts";
import type { Capabilities, Job, JobEvent, StoredPhoto } from "../../src/server/api/index.ts";
import { NotReadyError } from "../../src/server/errors.ts";
import { serverApp } from "../../src/server/http/index.ts";
import { sendPicture } from "../../src/server/http/sendPicture.ts";
import { openBlobs, ServerService } from "../../src/server/node/index.ts";
import type { OpenedPicture } from "../../src/server/service.ts";
import { temporaryFolder } from "../support/files.ts";
import { MemoryQueue } from "../support/memoryQueue.ts";
import { testServer } from "../support/server.ts";

const server = await testServer();
const at = temporaryFolder();

interface Refused {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
    readonly problems?: readonly { readonly param: string; readonly message: string }[];
  };
}

const submit = (body: object): Promise<Response> => server.ask("/api/v1/jobs", { body });
const jobOf = async (answer: Response): Promise<Job> => (await answer.json()) as Job;
const edit = async (more: object = {}): Promise<Job> =>
  jobOf(await submit({ kind: "edit", photo: await server.photo(), target: "a dog lying down", ...more }));

/** Reads all server-sent events of an answer: ids and data. */
async function eventsOf(answer: Response): Promise<{ id?: string; event: JobEvent }[]> {
  const blocks = (await answer.text()).split("\n\n").filter((block) => block.includes("data: "));
  return blocks.map((block) => {
    const line = (name: string): string | undefined =>
      block
        .split("\n")
        .find((one) => one.startsWith(`${name}: `))
        ?.slice(name.length + 2);
    const id = line("id");
    return { ...(id !== undefined && { id }), event: JSON.parse(line("data")!) };
  });
}

test("a photo is stored, a job runs, its events and its picture come", async () => {
  const { id } = await edit({ target: "a dog that runs" });
  const following = eventsOf(await server.ask(`/api/v1/jobs/${id}/events`));
  const waiting = server.ask(`/api/v1/jobs/${id}/result?wait=10`);
  const lease = await server.take();
  await lease.report({ type: "progress", progress: { phase: "prepare", done: 1, total: 2 } });
  const picture = { id: await server.photo(), width: 128, height: 128 };
  await lease.complete({
    pictures: [{ name: "edit", picture }],
    settings: {},
    reusedPreparation: false,
    warnings: [],
    seconds: 1,
  });
  const result = await waiting;
  expect([result.status, result.headers.get("content-type")]).toEqual([200, "image/png"]);
  expect(result.headers.get("cache-control")).toBe("private, max-age=31536000, immutable");
  const events = await following;
  expect(events.map(({ id, event }) => [id, event.type])).toEqual([
    ["1", "state"],
    ["2", "state"],
    [undefined, "progress"],
    ["3", "state"],
  ]);
  const later = await server.ask(`/api/v1/jobs/${id}/events`, { headers: { "Last-Event-ID": "2" } });
  expect((await eventsOf(later)).map((one) => one.id)).toEqual(["3"]);
  expect((await server.ask(`/api/v1/jobs/${id}/result?picture=none`)).status).toBe(404);
});

test("a photo that a camera held sideways is stored upright", async () => {
  const [width, height] = [20, 10];
  const pixels = sharp({ create: { width, height, channels: 3, background: "red" } });
  const body = new Uint8Array(await pixels.withMetadata({ orientation: 6 }).jpeg().toBuffer());
  const answer = await server.ask("/api/v1/photos", { body, headers: { "Content-Type": "image/jpeg" } });
  expect(answer.status).toBe(201);
  const photo = (await answer.json()) as StoredPhoto;
  expect(photo).toMatchObject({ width: height, height: width });
  const stored = await (await server.ask(`/api/v1/pictures/${photo.id}`)).arrayBuffer();
  const { orientation = 1, ...size } = await sharp(stored).metadata();
  expect({ orientation, ...size }).toMatchObject({ orientation: 1, width: height, height: width });
});

test("events send their headers at once, and stop if the client leaves", async () => {
  const { id } = await edit({ target: "a dog that waits" });
  const answer = await server.ask(`/api/v1/jobs/${id}/events`);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  const reader = answer.body!.getReader();
  await reader.read();
  await reader.cancel();
  await server.ask(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
});

test("all wrong fields of a request are named at once", async () => {
  const answer = await submit({
    kind: "edit",
    photo: await server.photo(),
    target: " ",
    model: "none",
    size: "4x99999",
  });
  const { error } = (await answer.json()) as Refused;
  expect(answer.status).toBe(400);
  expect(error).toMatchObject({ type: "invalid_request_error", param: "target", code: "usage" });
  expect(error.problems?.map(({ param }) => param)).toEqual(["target", "size", "model"]);
});

test.each([
  ["options.alpha", { options: { alpha: 7 } }],
  ["options.nothing", { options: { nothing: 1 } }],
  ["method", { method: "none" }],
  ["preset", { preset: "none" }],
  ["images.1", { images: ["edit", "none"] }],
  ["strip", { method: "plain", strip: true }],
  ["source", { method: "negative-prompt" }],
  ["options.targetMask", { method: "masactrl", options: { targetMask: "mask.png" } }],
  ["axes.nothing", { kind: "sweep", axes: { nothing: [1] } }],
  ["axes.steps", { kind: "sweep", axes: { steps: [20] } }],
  ["axes.selfSteps.1", { kind: "sweep", axes: { selfSteps: [0.3, "x"] } }],
  ["options.selfSteps", { kind: "sweep", axes: { selfSteps: [0.3] }, options: { selfSteps: 0.4 } }],
  ["of", { kind: "attention", of: "none" }],
  ["methods.1", { kind: "compare", methods: ["baret", "none"] }],
  ["options.sdedit", { kind: "compare", methods: ["baret"], options: { sdedit: {} } }],
  ["options.sdedit.strength", { kind: "compare", methods: ["sdedit"], options: { sdedit: { strength: 3 } } }],
  ["options.baret.preset", { kind: "compare", methods: ["baret"], options: { baret: { preset: "none" } } }],
  ["extra", { extra: 1 }],
])("the wrong field %s is named", async (field, more) => {
  const answer = await submit({ kind: "edit", photo: await server.photo(), target: "a dog", ...more });
  expect([answer.status, ((await answer.json()) as Refused).error.param]).toEqual([400, field]);
});

test("equal requests share a job, whatever the order of their fields, their priority and the name of the default", async () => {
  const photo = await server.photo();
  const first = await submit({ kind: "edit", photo, target: "one dog", options: { steps: 20, guidance: 4 } });
  const { id, request } = await jobOf(first);
  expect([first.status, first.headers.get("location")]).toEqual([202, `/api/v1/jobs/${id}`]);
  expect(request).toMatchObject({ model: "menagerie", method: "baret" });
  for (const more of [
    { options: { guidance: 4, steps: 20 } },
    { options: { steps: 20, guidance: 4 }, priority: "batch" },
    { options: { steps: 20, guidance: 4 }, method: "baret", model: "menagerie", size: "128x128", fit: "crop" },
  ]) {
    const again = await submit({ kind: "edit", photo, target: "one dog", ...more });
    expect([again.status, (await jobOf(again)).id]).toEqual([200, id]);
  }
  for (const more of [
    { options: { steps: 21, guidance: 4 } },
    { options: { steps: 20, guidance: 4 }, size: "64x64" },
  ]) {
    const other = await submit({ kind: "edit", photo, target: "one dog", ...more });
    expect(other.status).toBe(202);
  }
});

test("a comparison of all methods names them, also those that tune weights; without a caption, those that need none", async () => {
  const photo = await server.photo();
  const asked = { kind: "compare", photo, target: "a dog", methods: ["all"] };
  const named = async (more: object): Promise<unknown> => {
    const { request } = await jobOf(await submit({ ...asked, ...more }));
    return (request as { methods?: unknown }).methods;
  };
  expect(await named({ source: "a cat" })).toEqual(methods().map(({ name }) => name));
  const free = methods().filter(({ needs }) => needs.caption !== "required");
  expect(await named({})).toEqual(free.map(({ name }) => name));
});

test("the addresses of one kind each do the same as the common one", async () => {
  const common = { photo: await server.photo(), target: "a dog of one kind" };
  for (const [path, kind] of [
    ["edits", "edit"],
    ["comparisons", "compare"],
    ["sweeps", "sweep"],
    ["attention", "attention"],
  ]) {
    const short = await jobOf(await server.ask(`/api/v1/${path}`, { body: common }));
    const long = await jobOf(await submit({ kind, ...common }));
    expect([short.request.kind, long.id]).toEqual([kind, short.id]);
  }
});

test("jobs are listed, searched, cancelled and removed", async () => {
  const { id } = await edit({ target: "a very special dog" });
  const found = await server.ask("/api/v1/jobs?search=special&states=queued,running&limit=5");
  expect(((await found.json()) as { jobs: Job[] }).jobs.map((one) => one.id)).toEqual([id]);
  expect((await server.ask(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(409);
  const unfinished = await server.ask(`/api/v1/jobs/${id}/result`);
  expect(unfinished.status).toBe(202);
  expect((await jobOf(await server.ask(`/api/v1/jobs/${id}/cancel`, { method: "POST" }))).state).toBe("cancelled");
  expect((await server.ask(`/api/v1/jobs/${id}/result`)).status).toBe(409);
  expect((await server.ask(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
  expect((await server.ask(`/api/v1/jobs/${"0".repeat(32)}`)).status).toBe(404);
});

test("many jobs are removed by one request: ids of no job are ignored, and one that has not ended stays", async () => {
  const ids: string[] = [];
  for (const k of [0, 1, 2]) ids.push((await edit({ target: `removed ${k}` })).id);
  for (const id of ids.slice(1)) await server.ask(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
  const remove = (jobs: string[]) => server.ask("/api/v1/jobs/remove", { body: { jobs } });
  expect((await remove([ids[1], "0".repeat(32)])).status).toBe(204);
  expect((await remove([ids[0], ids[2]])).status).toBe(409);
  const listed = (await (await server.ask("/api/v1/jobs?search=removed")).json()) as { jobs: Job[] };
  expect(listed.jobs.map(({ id }) => id)).toEqual([ids[0]]);
  expect((await remove(["../.."])).status).toBe(400);
});

test("a picture has a small copy as WebP", async () => {
  const answer = await server.ask(`/api/v1/pictures/${await server.photo()}?side=32`);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "image/webp"]);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  expect(Buffer.from(bytes.subarray(8, 12)).toString()).toBe("WEBP");
});

test("a picture comes with its length, whole or in the part that is asked for", async () => {
  const id = await server.photo();
  const whole = await server.ask(`/api/v1/pictures/${id}`);
  const bytes = Buffer.from(await whole.arrayBuffer());
  const length = `${bytes.length}`;
  expect([whole.status, whole.headers.get("content-length"), whole.headers.get("accept-ranges")]).toEqual([
    200,
    length,
    "bytes",
  ]);
  const ask = (headers: Record<string, string>, method = "GET") =>
    server.ask(`/api/v1/pictures/${id}`, { headers, method });
  const part = await ask({ Range: "bytes=1-3" });
  expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
    206,
    `bytes 1-3/${length}`,
    "PNG",
  ]);
  const rest = await ask({ Range: "bytes=100-", "If-Range": `"${id}"` });
  expect(Buffer.from(await rest.arrayBuffer()).equals(bytes.subarray(100))).toBe(true);
  expect((await ask({ Range: "bytes=100-", "If-Range": '"another"' })).status).toBe(200);
  const beyond = await ask({ Range: `bytes=${length}-` });
  expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${length}`]);
  const head = await ask({}, "HEAD");
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, length, ""]);
});

test("of a picture no more is read than the client takes, nothing for HEAD, and reading ends if the client leaves", async () => {
  let [pieces, isClosed] = [0, false];
  const bytes = 1e12;
  const openPicture = async (): Promise<OpenedPicture> => ({
    bytes,
    async *read() {
      try {
        for (; pieces < 1000; pieces++) yield new Uint8Array(1 << 20);
      } finally {
        isClosed = true;
      }
    },
  });
  const app = new Hono().get("/", (c) => sendPicture(c, { openPicture }, "a"));
  const head = await app.request("/", { method: "HEAD" });
  expect([head.headers.get("content-length"), pieces]).toEqual([`${bytes}`, 0]);
  const reader = (await app.request("/")).body!.getReader();
  await reader.read();
  await reader.read();
  expect(pieces).toBeLessThanOrEqual(2);
  await reader.cancel();
  expect(isClosed).toBe(true);
});

test("until queue and models are there, the server answers 503 with the time to wait, and its page and photos work", async () => {
  const never = new Promise<never>(() => undefined);
  const service = new ServerService({
    queue: never,
    blobs: await openBlobs(at("blobs")),
    models: never,
    version: "0.0.0",
  });
  const app = serverApp({ service, version: "0.0.0", isOwnHost: ownHosts() });
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> =>
    app.request(`http://localhost${path}`, { headers: { Host: "localhost" }, ...init });
  for (const path of ["/health", "/api/v1/jobs", "/api/v1/inversions", `/api/v1/jobs/${"0".repeat(32)}/events`]) {
    const answer = await ask(path);
    expect([path, answer.status, answer.headers.get("retry-after")]).toEqual([path, 503, "2"]);
  }
  const { ready, methods } = (await (await ask("/api/v1/capabilities")).json()) as Capabilities;
  expect([ready, methods.length > 5]).toEqual([false, true]);
});

test("a site that --cors names may ask, and no other", async () => {
  const shared = await testServer({ origins: ["https://example.org"] });
  const from = (Origin: string): Promise<Response> =>
    shared.ask("/api/v1/capabilities", { headers: { Origin, "Sec-Fetch-Site": "cross-site" } });
  const allowed = await from("https://example.org");
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, "https://example.org"]);
  expect(allowed.headers.get("access-control-allow-credentials")).toBeNull();
  const preflight = await shared.ask("/api/v1/jobs", {
    method: "OPTIONS",
    headers: { Origin: "https://example.org", "Access-Control-Request-Method": "POST" },
  });
  expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([
    204,
    "https://example.org",
  ]);
  expect((await from("https://example.org.evil.example")).status).toBe(403);
});

test("who is refused hears what was found, and what the server's owner can do", async () => {
  const message = async (path: string, headers: Record<string, string>): Promise<string> =>
    ((await (await server.ask(path, { headers })).json()) as Refused).error.message;
  const jobs = "/api/v1/jobs";
  expect(await message(jobs, { Host: "photos.example" })).toMatch(
    /found "photos\.example".*\n.*the option allowed-host/,
  );
  expect(await message(jobs, { Origin: "https://a.example" })).toMatch(
    /found "https:\/\/a\.example".*\n.*the option cors/,
  );
  expect(await message("/api/api/v1/jobs", {})).toMatch(
    /found "\/api\/api\/v1\/jobs", expected one of \/openapi\.json/,
  );
});

test("measures are in Prometheus's text format", async () => {
  const text = await (await server.ask("/metrics")).text();
  expect(text).toMatch(/^# HELP baret_http_requests_total requests\n# TYPE baret_http_requests_total counter\n/m);
  for (const line of text.trim().split("\n")) {
    expect(line).toMatch(/^(# (HELP|TYPE) .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [\d.e+-]+)$/);
  }
});

test.each([
  ["does not answer", () => new Promise<never>(() => undefined)],
  ["fails", () => Promise.reject(new NotReadyError("the queue's database does not answer"))],
])("while the queue %s, /health says so soon, and /metrics has the other measures", async (_, stats) => {
  const queue = new MemoryQueue();
  const broken = await testServer({ queue });
  const health = async (): Promise<number> => (await broken.ask("/health")).status;
  expect(await health()).toBe(200);
  expect(await (await broken.ask("/metrics")).text()).toContain('baret_jobs{state="queued"} 0');
  vi.spyOn(queue, "stats").mockImplementation(stats);
  const began = performance.now();
  expect(await Promise.all([health(), health()])).toEqual([503, 503]);
  expect(queue.stats).toHaveBeenCalledTimes(1);
  const metrics = await broken.ask("/metrics");
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(metrics.status).toBe(200);
  const text = await metrics.text();
  expect(text).not.toContain("baret_jobs");
  expect(text).toContain('baret_http_requests_total{method="GET",status="503"} 2');
});

test("the OpenAPI document has every address, each with its answers", async () => {
  const document = (await (await server.ask("/openapi.json")).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { responses: object }>>;
  };
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(["/api/v1/jobs/{id}/events", "/api/v1/photos", "/health", "/api/v1/pictures/{id}"]),
  );
  expect(JSON.stringify(document)).not.toContain('"$schema"');
});
