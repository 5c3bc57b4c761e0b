import { createReadStream, readFileSync } from "node:fs";
import OpenAI, { APIError, toFile } from "openai";
import sharp from "sharp";
import { expect, test } from "vitest";
import { StorageError } from "../../src/core/index.ts";
import { editRequest } from "../../src/server/api/index.ts";
import { BusyError } from "../../src/server/errors.ts";
import { dialectServer } from "../support/dialectServer.ts";

const photo = "examples/dog.png";
const negative = await sharp(photo).negate({ alpha: false }).png().toBuffer();
const prompt = "a dog lying down";

/** A server, and the official client as its users make it. */
async function opened(times: Parameters<typeof dialectServer>[0] = {}, maxRetries = 0) {
  const server = await dialectServer(times);
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "unused", maxRetries });
  return { ...server, client };
}

const file = (bytes = readFileSync(photo)) => toFile(bytes, "photo.png", { type: "image/png" });

/** A field that the client's types do not have. */
const extra = (fields: object): object => fields;

const sizeOf = async (base64: string | undefined) => {
  const { width, height, format } = await sharp(Buffer.from(`${base64}`, "base64")).metadata();
  return { width, height, format };
};

/** Returns the error with which a request is refused. */
async function refusalOf(work: Promise<unknown>): Promise<APIError> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

test("edits a photo with nothing but a prompt: the edit is a PNG of the photo's own size", async () => {
  const { client, service } = await opened();
  const reply = await client.images.edit({ image: createReadStream(photo), prompt });
  expect(reply.data).toHaveLength(1);
  expect(await sizeOf(reply.data?.[0].b64_json)).toEqual({ width: 128, height: 128, format: "png" });
  expect(reply).toMatchObject({ output_format: "png", size: "128x128" });
  expect(Math.abs(reply.created - Date.now() / 1000)).toBeLessThan(60);
  expect(service.submitted).toEqual([
    expect.objectContaining({
      kind: "edit",
      target: prompt,
      method: "baret",
      fit: "whole",
      options: {},
      previews: false,
    }),
  ]);
});

test("lists models and finds one by a name with a slash", async () => {
  const { client } = await opened();
  const names: string[] = [];
  for await (const model of client.models.list()) names.push(model.id);
  expect(names).toEqual(["menagerie", "org/other"]);
  expect(await client.models.retrieve("org/other")).toMatchObject({ id: "org/other", object: "model" });
  expect(await refusalOf(client.models.retrieve("gpt-image-1"))).toMatchObject({
    status: 404,
    code: "model_not_found",
  });
});

test("takes baret's own fields, sizes, seeds and formats", async () => {
  const { client, service } = await opened();
  const body = {
    image: await file(),
    prompt,
    model: "menagerie",
    size: "256x192",
    output_format: "jpeg" as const,
    output_compression: 50,
    user: "someone",
    ...extra({ seed: 7, baret: { method: "sdedit", strength: 0.5, steps: 12, fit: "pad" } }),
  };
  const reply = await client.images.edit(body);
  expect((await sizeOf(reply.data?.[0].b64_json)).format).toBe("jpeg");
  expect(service.submitted).toEqual([
    expect.objectContaining({
      model: "menagerie",
      size: "256x192",
      fit: "pad",
      method: "sdedit",
      options: { strength: 0.5, steps: 12, seed: 7 },
    }),
  ]);
});

test("options are written as on the command line, in any case: pairs, words, switches", async () => {
  const { client, service } = await opened();
  const baret = { alpha: "0.8:0.1", "self-steps": 0.3, earlyStop: false };
  await client.images.edit({ image: await file(), prompt, ...extra({ baret }) });
  expect(service.submitted[0]).toMatchObject({ options: { alpha: [0.8, 0.1], selfSteps: 0.3, earlyStop: false } });
});

test("several images, each with an edit of its own: the order is kept", async () => {
  const { client, service } = await opened();
  const image = [await file(), await file(negative), await file()];
  const reply = await client.images.edit({ image, prompt, n: 3 });
  const [first, second, third] = reply.data ?? [];
  expect(first.b64_json).toBe(third.b64_json);
  expect(first.b64_json).not.toBe(second.b64_json);
  const raw = async (bytes: Buffer | string) =>
    sharp(typeof bytes === "string" ? Buffer.from(bytes, "base64") : bytes)
      .raw()
      .toBuffer();
  expect(await raw(`${second.b64_json}`)).toEqual(await raw(await sharp(negative).removeAlpha().toBuffer()));
  expect(service.submitted).toHaveLength(3);
});

test("several images without as many edits are refused, since images are not combined", async () => {
  const { client, service } = await opened();
  const refusal = await refusalOf(client.images.edit({ image: [await file(), await file(negative)], prompt }));
  expect(refusal).toMatchObject({ status: 400, param: "image" });
  expect(refusal.message).toContain("set n to 2");
  expect(service.submitted).toEqual([]);
});

test("n edits of one image have n seeds, if the method draws random numbers", async () => {
  const { client, service } = await opened();
  const body = { image: await file(), prompt, n: 3, ...extra({ seed: 5, baret: { method: "sdedit" } }) };
  expect((await client.images.edit(body)).data).toHaveLength(3);
  expect(service.submitted.map(({ options }) => options.seed)).toEqual([5, 6, 7]);
  const refusal = await refusalOf(client.images.edit({ image: await file(), prompt, n: 3 }));
  expect(refusal).toMatchObject({ status: 400, param: "n" });
});

test("quality low is the fast preset", async () => {
  const { client, service } = await opened();
  await client.images.edit({ image: await file(), prompt, quality: "low" });
  await client.images.edit({ image: await file(), prompt, quality: "high" });
  expect(service.submitted.map((request) => "preset" in request && request.preset)).toEqual(["fast", undefined]);
  const body = { image: await file(), prompt, quality: "low" as const, ...extra({ baret: { method: "direct" } }) };
  expect(await refusalOf(client.images.edit(body))).toMatchObject({ status: 400, param: "quality" });
});

test("masks of a method are files", async () => {
  const { client, service } = await opened();
  const body = {
    image: await file(),
    prompt,
    ...extra({ baret: { method: "masactrl", sourceMask: await file(negative) } }),
  };
  await client.images.edit(body);
  expect(service.submitted[0]).toMatchObject({ options: { sourceMask: expect.stringMatching(/^[0-9a-f]{64}$/) } });
});

test.each([
  ["mask", async () => ({ mask: await file() })],
  ["input_fidelity", async () => ({ input_fidelity: "high" })],
  ["background", async () => ({ background: "transparent" })],
  ["response_format", async () => ({ response_format: "url" })],
  ["output_format", async () => ({ output_format: "gif" })],
  ["output_compression", async () => ({ output_compression: 50 })],
  ["partial_images", async () => ({ partial_images: 2 })],
  ["n", async () => ({ n: 11 })],
  ["size", async () => ({ size: "huge" })],
  ["prompt", async () => ({ prompt: "" })],
  ["baret[alpha]", async () => ({ baret: { alpha: 1, method: "plain" } })],
  ["baret[method]", async () => ({ baret: { method: "magic" } })],
  ["baret[fit]", async () => ({ baret: { fit: "tight" } })],
  ["temperature", async () => ({ temperature: 1 })],
])("%s that cannot be honoured is refused by its name", async (param, fields) => {
  const { client, service } = await opened();
  const body = { image: await file(), prompt, ...(await fields()) } as OpenAI.ImageEditParamsNonStreaming;
  const refusal = await refusalOf(client.images.edit(body));
  expect(refusal).toMatchObject({ status: 400, param, type: "invalid_request_error" });
  expect(refusal.message).toContain(param);
  expect(service.submitted).toEqual([]);
});

test("all wrong fields are told at once", async () => {
  const { client } = await opened();
  const body = {
    image: await file(),
    prompt,
    n: 99,
    size: "x",
    mask: await file(),
  } as unknown as OpenAI.ImageEditParamsNonStreaming;
  const refusal = await refusalOf(client.images.edit(body));
  for (const param of ["n", "size", "mask"]) expect(refusal.message).toContain(`${param}: `);
});

test("a file that is no picture, a form without end, and one that is too large are refused", async () => {
  const { client, url, faults } = await opened();
  const text = await toFile(Buffer.from("not a picture"), "photo.png");
  expect(await refusalOf(client.images.edit({ image: text, prompt }))).toMatchObject({
    status: 400,
    param: "image",
    code: "usage",
  });
  const large = await toFile(Buffer.alloc(4 << 20), "photo.png");
  expect(await refusalOf(client.images.edit({ image: large, prompt }))).toMatchObject({
    status: 413,
    code: "too_large",
  });
  const post = (body: string, type: string) =>
    fetch(`${url}/v1/images/edits`, { method: "POST", body, headers: { "Content-Type": type } });
  const cut = '--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nabc';
  expect((await post(cut, "multipart/form-data; boundary=x")).status).toBe(400);
  expect((await post(cut, "multipart/form-data")).status).toBe(415);
  expect((await post(cut, "multipart/form-data; boundary=")).status).toBe(400);
  expect((await post("{}", "application/json")).status).toBe(415);
  const many = Array.from(
    { length: 200 },
    (_, k) => `--x\r\nContent-Disposition: form-data; name="a${k}"\r\n\r\n1\r\n`,
  );
  expect((await post(`${many.join("")}--x--\r\n`, "multipart/form-data; boundary=x")).status).toBe(413);
  expect(faults).toEqual([]);
});

test("a full queue answers 429 with the time to wait, and the client comes back", async () => {
  const { client, service } = await opened({}, 1);
  service.refusal = new BusyError("the queue is full", { retryAfter: 0.1 });
  const began = performance.now();
  await client.images.edit({ image: await file(), prompt });
  expect(performance.now() - began).toBeGreaterThan(900);
  service.refusal = new BusyError("the queue is full", { retryAfter: 7 });
  const refusal = await refusalOf(client.images.edit({ image: await file(), prompt }, { maxRetries: 0 }));
  expect(refusal).toMatchObject({ status: 429, code: "busy", type: "rate_limit_error" });
  expect(refusal.headers?.get("retry-after")).toBe("7");
});

test("an edit that fails is an error that the client does not repeat", async () => {
  const { client, service } = await opened({}, 2);
  service.onJob = (id) => service.fail(id, { code: "numeric", message: "the model computed NaN." });
  const refusal = await refusalOf(client.images.edit({ image: await file(), prompt }));
  expect(refusal).toMatchObject({ status: 500, code: "numeric" });
  expect(refusal.message).toContain("the model computed NaN");
  expect(service.submitted).toHaveLength(1);
});

test("a size that the worker refuses is named, and too little memory is an overload that the client does not repeat", async () => {
  const { client, service } = await opened({}, 2);
  service.onJob = (id) => service.fail(id, { code: "usage", message: "size: found 100x100.", where: "size" });
  const edit = async (size: string) =>
    refusalOf(client.images.edit({ image: await file(), prompt, size: size as "auto" }));
  expect(await edit("100x100")).toMatchObject({ status: 400, param: "size" });
  service.onJob = (id) => service.fail(id, { code: "memory", message: "needs more memory than is free." });
  const overload = await edit("4096x4096");
  expect(overload).toMatchObject({ status: 503, code: "memory" });
  expect(overload.headers?.get("retry-after")).toBe("60");
  expect(service.submitted).toHaveLength(2);
});

test("a misspelt option or method is answered with those that exist", async () => {
  const { client } = await opened();
  const refused = async (own: object) =>
    (await refusalOf(client.images.edit({ image: await file(), prompt, ...extra({ baret: own }) }))).message;
  expect(await refused({ kep: 0.5 })).toMatch(/baret\[kep\]: not an option of baret; expected steps, .*, keep, /);
  expect(await refused({ method: "sdedti" })).toMatch(/found "sdedti", expected baret, .*sdedit/);
});

test("a full disk is an overload that says so", async () => {
  const { client, service, faults } = await opened();
  const cause = Object.assign(new Error("no space"), { code: "ENOSPC" });
  service.refusal = new StorageError("cannot be written: the disk is full", { where: "/data/blobs/1", cause });
  const refusal = await refusalOf(client.images.edit({ image: await file(), prompt }));
  expect(refusal).toMatchObject({ status: 503, code: "disk_full" });
  expect(refusal.message).toContain("disk is full");
  expect(refusal.message).not.toContain("/data");
  expect(faults).toHaveLength(1);
});

const preview = async () => {
  const webp = await sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
    .webp()
    .toBuffer();
  return `data:image/webp;base64,${webp.toString("base64")}`;
};

test("streams the asked number of partial images, then the edit", async () => {
  const { client, service } = await opened();
  service.onJob = () => undefined;
  const stream = await client.images.edit({ image: await file(), prompt, stream: true, partial_images: 2 });
  const [{ id }] = await service.jobs();
  expect(service.submitted[0]).toMatchObject({ previews: true });
  service.start(id);
  for (let done = 1; done <= 9; done++) {
    service.report(id, { type: "progress", progress: { phase: "edit", done, total: 9 } });
    service.report(id, { type: "preview", preview: await preview() });
  }
  service.finish(id);
  const events: OpenAI.ImageEditStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  expect(events.map(({ type }) => type)).toEqual([
    "image_edit.partial_image",
    "image_edit.partial_image",
    "image_edit.completed",
  ]);
  expect(events.map((event) => "partial_image_index" in event && event.partial_image_index)).toEqual([0, 1, false]);
  expect(events.map(({ size }) => size)).toEqual(["64x64", "64x64", "128x128"]);
  for (const event of events) expect((await sizeOf(event.b64_json)).format).toBe("png");
});

test("a stream has its headers before the edit begins", async () => {
  const { client, service } = await opened();
  service.onJob = () => undefined;
  const stream = await client.images.edit({ image: await file(), prompt, stream: true });
  expect((await service.jobs())[0].state).toBe("queued");
  stream.controller.abort();
});

test("an edit that fails ends its stream with an error that has a code", async () => {
  const { client, service } = await opened();
  service.onJob = (id) => service.fail(id, { code: "memory", message: "too little memory." });
  const stream = await client.images.edit({ image: await file(), prompt, stream: true });
  const refusal = await refusalOf(
    (async () => {
      for await (const _ of stream);
    })(),
  );
  expect(refusal.code).toBe("memory");
  expect(refusal.message).toContain("too little memory");
});

test("a client that closes its stream cancels the edit at once", async () => {
  const { client, service } = await opened();
  service.onJob = () => undefined;
  const stream = await client.images.edit({ image: await file(), prompt, stream: true });
  stream.controller.abort();
  await service.until(() => service.cancelled.length > 0);
  expect((await service.jobs())[0].state).toBe("cancelled");
});

test("a client that leaves a plain request cancels the edit after a grace time", async () => {
  const { client, service } = await opened({ graceMs: 200 });
  service.onJob = () => undefined;
  const left = new AbortController();
  const asking = client.images.edit({ image: await file(), prompt }, { signal: left.signal });
  await service.until(() => service.submitted.length === 1);
  const began = performance.now();
  left.abort();
  await expect(asking).rejects.toThrow();
  await service.until(() => service.cancelled.length > 0);
  expect(performance.now() - began).toBeGreaterThan(190);
  expect((await service.jobs())[0].state).toBe("cancelled");
});

test("a client whose request timed out and that tries again is attached to the running edit", async () => {
  const { client, service } = await opened({ graceMs: 3000 }, 2);
  service.onJob = (id) => service.start(id);
  const asking = client.images.edit({ image: await file(), prompt }, { timeout: 600 });
  await service.until(() => service.submitted.length === 2);
  const [{ id, state }, ...rest] = await service.jobs();
  expect(rest).toEqual([]);
  expect(state).toBe("running");
  service.finish(id);
  expect((await asking).data).toHaveLength(1);
  expect(service.cancelled).toEqual([]);
});

test("of two connections for one edit, the one that closes takes nothing from the other", async () => {
  const { client, service } = await opened({ graceMs: 0 });
  service.onJob = () => undefined;
  const stream = await client.images.edit({ image: await file(), prompt, stream: true });
  const second = await client.images.edit({ image: await file(), prompt, stream: true });
  await service.until(() => service.following === 2);
  stream.controller.abort();
  await service.until(() => service.following === 1);
  // Time for what must not happen.
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(service.cancelled).toEqual([]);
  service.finish((await service.jobs())[0].id);
  const types: string[] = [];
  for await (const { type } of second) types.push(type);
  expect(types).toEqual(["image_edit.completed"]);
});

test("a client that closes its stream takes nothing from its equal request of another API", async () => {
  const { client, service, url } = await opened({ graceMs: 0 });
  service.onJob = () => undefined;
  // Both APIs ask for the same job.
  const { submit } = service;
  service.submit = ({ photo, target }, ...rest) =>
    submit.call(service, editRequest.parse({ kind: "edit", photo, target }), ...rest);
  const image = readFileSync(photo);
  const other = fetch(`${url}/sdapi/v1/img2img`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt, init_images: [image.toString("base64")] }),
  });
  await service.until(() => service.submitted.length === 1);
  const stream = await client.images.edit({ image: await file(), prompt, stream: true });
  stream.controller.abort();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(service.cancelled).toEqual([]);
  const jobs = await service.jobs();
  expect(jobs).toHaveLength(1);
  service.finish(jobs[0].id);
  expect((await other).status).toBe(200);
});

test("a long plain request has its headers early and spaces before its JSON", async () => {
  const { client, service } = await opened({ firstMs: 50, beatMs: 20 });
  service.onJob = () => undefined;
  const asking = client.images.edit({ image: await file(), prompt }).asResponse();
  const response = await asking;
  expect(response.status).toBe(200);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.length < 3) text += (await reader.read()).value;
  service.finish((await service.jobs())[0].id);
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += piece.value;
  expect(text).toMatch(/^ {3,}\{/);
  expect(JSON.parse(text).data).toHaveLength(1);
});

test("a failure after the headers is an error in the body", async () => {
  const { client, service } = await opened({ firstMs: 20 });
  service.onJob = () => undefined;
  const response = await client.images.edit({ image: await file(), prompt }).asResponse();
  service.fail((await service.jobs())[0].id, { code: "memory", message: "too little memory." });
  expect(await response.json()).toMatchObject({ error: { code: "memory", param: null } });
});

test("a client that leaves a long plain request after its headers cancels the edit too", async () => {
  const { client, service } = await opened({ firstMs: 20, graceMs: 50 });
  service.onJob = () => undefined;
  const left = new AbortController();
  const response = await client.images.edit({ image: await file(), prompt }, { signal: left.signal }).asResponse();
  left.abort();
  await expect(response.text()).rejects.toThrow();
  await service.until(() => service.cancelled.length > 0);
});
