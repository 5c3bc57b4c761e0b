import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import OpenAI, { toFile } from "openai";
import sharp from "sharp";
import { StableDiffusionApi } from "stable-diffusion-api";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readRecord } from "../../src/image/index.ts";
import type { Job } from "../../src/server/api/index.ts";
import { type Server, startServer } from "../../src/server/node/index.ts";
import { inProcess } from "../support/inProcess.ts";
import { noPythonClient, python, titled } from "../support/needs.ts";

// Clients of other APIs edit photos with the Menagerie, through the whole server.

// The machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

const photo = "examples/dog.png";
const prompt = "a brown dog lying down on the grass";
const folder = mkdtempSync(join(tmpdir(), "baret-dialects-"));
const faults: unknown[] = [];

/** Makes the Menagerie with fewer steps and iterations as its defaults. Returns its path. */
function quickMenagerie(): string {
  const [from, to] = [resolve("checkpoints/menagerie"), join(folder, "menagerie")];
  cpSync(from, to, { recursive: true });
  const editing = JSON.parse(readFileSync(join(to, "editing.json"), "utf8"));
  editing.steps = 2;
  editing.methods.baret.prepare.iterations = 1;
  writeFileSync(join(to, "editing.json"), JSON.stringify(editing));
  return to;
}

let server: Server;
let client: OpenAI;

beforeAll(async () => {
  process.env.BARET_CACHE = join(folder, "cache");
  server = await startServer({
    models: [quickMenagerie()],
    folder: join(folder, "data"),
    threads: 1,
    onFault: (error) => faults.push(error),
    onWorkerEvent: (event) => event.type === "trouble" && faults.push(event.error),
  });
  await server.ready;
  client = new OpenAI({ baseURL: `${server.url}v1`, apiKey: "unused", maxRetries: 0 });
}, 120_000);

afterAll(async () => {
  await server.close();
  delete process.env.BARET_CACHE;
  rmSync(folder, { recursive: true });
  expect(faults).toEqual([]);
});

const file = () => toFile(readFileSync(photo), "dog.png", { type: "image/png" });
const pixels = (picture: Buffer | string) => sharp(picture).removeAlpha().raw().toBuffer();
const own = { method: "sdedit", steps: 4, strength: 0.5 };

/** Returns the state of the newest job of this machine's programs. */
async function newestState(): Promise<string> {
  const answer = await fetch(`${server.url}api/v1/jobs?limit=1`);
  return ((await answer.json()) as { readonly jobs: readonly Pick<Job, "state">[] }).jobs[0].state;
}

/** A body with fields that the client's types do not have. */
const body = async (baret: object, more: object = {}) => ({ image: await file(), prompt, ...more, ...{ baret } });

test("OpenAI's client gets the picture of the local command, with its settings inside", async () => {
  const reply = await client.images.edit(await body(own, { seed: 3 }));
  const png = Buffer.from(`${reply.data?.[0].b64_json}`, "base64");
  const to = join(folder, "local.png");
  const options = ["--method", "sdedit", "--steps", "4", "--strength", "0.5", "--seed", "3", "--fit", "whole"];
  await inProcess("edit", photo, prompt, "--threads", "1", "--quiet", "-o", to, ...options);
  expect(await pixels(png)).toEqual(await pixels(to));
  expect(JSON.parse(`${readRecord(png)}`).settings).toMatchObject({
    target: prompt,
    method: "sdedit",
    steps: 4,
    seed: 3,
  });
});

test("a photo of any shape comes back whole at its own size, as WebP with its settings", async () => {
  const wide = await sharp(photo).resize(300, 150, { fit: "fill" }).png().toBuffer();
  const image = await toFile(wide, "wide.png", { type: "image/png" });
  const reply = await client.images.edit({ ...(await body(own)), image, output_format: "webp" });
  const webp = Buffer.from(`${reply.data?.[0].b64_json}`, "base64");
  expect(await sharp(webp).metadata()).toMatchObject({ width: 300, height: 150, format: "webp" });
  expect(JSON.parse(`${readRecord(webp)}`).settings).toMatchObject({ steps: 4, fit: "whole" });
  expect(reply.size).toBe("300x150");
});

test("a stream has partial images of the edit while it is computed", async () => {
  const more = { stream: true as const, partial_images: 3 };
  const stream = await client.images.edit({ ...(await body({ method: "plain", steps: 30 })), ...more });
  const types: string[] = [];
  for await (const event of stream) {
    types.push(event.type);
    expect((await sharp(Buffer.from(event.b64_json, "base64")).metadata()).format).toBe("png");
  }
  expect(types.at(-1)).toBe("image_edit.completed");
  expect(types.length).toBeGreaterThan(1);
  expect(types.length).toBeLessThan(5);
});

test("what only the service can check is refused by the client's own names", async () => {
  const refusal = async (baret: object, more: object = {}) =>
    client.images.edit(await body(baret, more)).then(
      () => undefined,
      (error: unknown) => error,
    );
  expect(await refusal({ ...own, strength: 2 })).toMatchObject({ status: 400, param: "baret[strength]" });
  expect(await refusal({ method: "direct" })).toMatchObject({ status: 400, param: "baret[source]" });
  expect(await refusal({}, { model: "gpt-image-1" })).toMatchObject({ status: 400, param: "model" });
  expect(await refusal({}, { size: "99999x8" })).toMatchObject({ status: 400, param: "size" });
});

test("a client that closes its stream stops the worker", async () => {
  const stream = await client.images.edit({ ...(await body({ steps: 50 })), stream: true, partial_images: 1 });
  stream.controller.abort();
  await expect.poll(newestState, { timeout: 20_000 }).toBe("cancelled");
  // The next edit has the worker for itself.
  await client.images.edit(await body(own, { seed: 4 }));
  expect(await newestState()).toBe("done");
});

test("an existing client of AUTOMATIC1111 edits, sees progress and interrupts", async () => {
  const a1111 = new StableDiffusionApi({ baseUrl: server.url.replace(/\/$/, ""), defaultStepCount: 4 });
  const settings = {
    init_images: [sharp(photo)],
    prompt,
    width: 128,
    height: 128,
    denoising_strength: 0.5,
    cfg_scale: 5,
    seed: 1,
  };
  const { image, info } = await a1111.img2img(settings);
  expect(await image.metadata()).toMatchObject({ width: 128, height: 128 });
  expect(JSON.parse(info)).toMatchObject({ seed: 1, steps: 4, cfg_scale: 5, denoising_strength: 0.5 });

  interface AxiosError {
    readonly response?: { readonly status: number };
  }
  const long = a1111.img2img({ ...settings, steps: 400, denoising_strength: 1 }).then(
    () => "done",
    (error: AxiosError) => error.response?.status,
  );
  let seen = await a1111.getProgress();
  while (seen.progress < 0.5) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    seen = await a1111.getProgress();
  }
  expect(seen.progress).toBeLessThan(1);
  expect(seen.state).toMatchObject({ job_count: 1, sampling_steps: 400 });
  await fetch(`${server.url}sdapi/v1/interrupt`, { method: "POST" });
  expect(await long).toBe(409);
  expect(await a1111.getProgress()).toMatchObject({ progress: 0, state: { job_count: 0 } });
});

test("baret mcp --server lets the server edit, and cancels there", async () => {
  const assistant = new Client({ name: "test", version: "1" });
  const started = ["mcp", "--server", server.url, "--folder", resolve("examples"), "--folder", folder];
  const args = [resolve("dist/cli/main.js"), ...started];
  await assistant.connect(new StdioClientTransport({ command: process.execPath, args, cwd: folder }));
  const call = (input: object, options?: Parameters<Client["callTool"]>[1]) =>
    assistant.callTool({ name: "edit_image", arguments: { photo: "dog.png", prompt, ...input } }, options);
  try {
    const output = join(folder, "remote.webp");
    const options = { steps: 4, strength: 0.5, seed: 3 };
    const called = await call({ output, method: "sdedit", fit: "whole", options });
    expect(called.isError, JSON.stringify(called.content)).toBeFalsy();
    expect(called.structuredContent).toMatchObject({ path: output, settings: { steps: 4, seed: 3 } });
    expect(await sharp(output).metadata()).toMatchObject({ width: 128, height: 128, format: "webp" });

    const wrong = await call({ output: join(folder, "x.png"), options: { stepz: 1 } });
    expect(JSON.stringify(wrong.content)).toContain("stepz");

    const left = new AbortController();
    const onprogress = () => left.abort();
    const long = { output: join(folder, "y.png"), method: "plain", options: { steps: 300 } };
    await expect(call(long, { signal: left.signal, onprogress })).rejects.toThrow();
    await expect.poll(newestState).toBe("cancelled");
  } finally {
    await assistant.close();
  }
});

const page = readFileSync("docs/server.md", "utf8");

/** Returns the examples in a language under a heading of docs/server.md, with the address of this server. */
function examples(heading: string, language: string): string[] {
  const section = page.split(/^## /m).find((one) => one.startsWith(heading)) ?? "";
  const blocks = section.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"));
  const found = [...blocks].map(([, code]) => code.replaceAll("http://127.0.0.1:7878/", server.url));
  expect(found).not.toEqual([]);
  return found;
}

/** Runs a program in a folder that has the examples' photo and packages. */
async function runExample(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd: folder, maxBuffer: 1 << 26 });
  return stdout;
}

test("the examples of docs/server.md work: Node, curl", async () => {
  for (const name of ["examples", "node_modules"]) symlinkSync(resolve(name), join(folder, name));
  const size = async () => sharp(join(folder, "lying.png")).metadata();
  for (const code of examples("OpenAI clients", "js")) {
    writeFileSync(join(folder, "edit.mjs"), code);
    await runExample(process.execPath, ["edit.mjs"]);
    expect(await size()).toMatchObject({ width: 128, height: 128, format: "png" });
    rmSync(join(folder, "lying.png"));
  }
  const [streamed] = examples("OpenAI clients", "sh");
  expect(await runExample("/bin/sh", ["-c", streamed])).toContain("event: image_edit.completed");
  const [img2img] = examples("AUTOMATIC1111 clients", "sh");
  expect(JSON.parse(await runExample("/bin/sh", ["-c", img2img])).images).toHaveLength(1);
});

const noPython = noPythonClient();

test.skipIf(noPython)(titled("the example of docs/server.md in Python works", noPython), async () => {
  for (const code of examples("OpenAI clients", "python")) await runExample(python, ["-c", code]);
  expect(await sharp(join(folder, "lying.png")).metadata()).toMatchObject({ width: 128, height: 128 });
});
