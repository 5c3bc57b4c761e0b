import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Random } from "../../src/core/index.ts";
import { dialectServer } from "../support/dialectServer.ts";
import { survive } from "../support/survive.ts";

const photo = readFileSync("examples/dog.png");

const words = [
  "",
  "0",
  "-1",
  "7",
  "1e9",
  "0.5",
  "true",
  "null",
  "auto",
  "low",
  "png",
  "128x128",
  "sdedit",
  "baret",
  "whole",
];
const odd = [
  "\0",
  "😀",
  "../../etc/passwd",
  "__proto__",
  "<script>",
  "a".repeat(5000),
  "[[[[",
  "%00",
  "http://localhost/x",
  "0.8:0.1",
  ",,,",
];
const names = [
  "prompt",
  "model",
  "n",
  "size",
  "quality",
  "output_format",
  "stream",
  "partial_images",
  "seed",
  "user",
  "mask",
];
const own = [
  "method",
  "alpha",
  "steps",
  "strength",
  "preset",
  "source",
  "fit",
  "selfSteps",
  "sourceMask",
  "__proto__",
  "keep",
  "threshold",
];

const text = (random: Random): string => random.pick(random.uniform() < 0.7 ? words : odd);

/** Answers must be a result, or an error with a code and a message. The server itself must not fail. */
async function checkAnswer(
  answer: Response,
  errorOf: (body: never) => { code?: unknown; message?: unknown },
): Promise<void> {
  const said = await answer.text();
  if (answer.status === 200) return;
  expect([400, 404, 413, 415, 429]).toContain(answer.status);
  const { code, message } = errorOf(JSON.parse(said) as never);
  expect([typeof code, typeof message]).toEqual(["string", "string"]);
  expect(`${message}`.length).toBeLessThan(15_000);
}

test("any form has a typed answer", async () => {
  const { url, faults } = await dialectServer();
  const outcomes = await survive(150, [], async (random) => {
    const form = new FormData();
    if (random.uniform() < 0.9) form.append(random.pick(["image", "image[]"]), new Blob([photo]), "a.png");
    if (random.uniform() < 0.8) form.append("prompt", "a dog");
    for (let k = 0; k < random.uniform() * 5; k++) {
      const name =
        random.uniform() < 0.5 ? random.pick(names) : `baret[${random.pick(own)}]${random.pick(["", "[]", "[x]"])}`;
      if (random.uniform() < 0.1) form.append(name, new Blob([photo.subarray(0, 100)]), "b.png");
      else form.append(name, text(random));
    }
    const answer = await fetch(`${url}/v1/images/edits`, { method: "POST", body: form });
    await checkAnswer(answer, ({ error }: { error: { code: string; message: string } }) => error);
  });
  expect(outcomes.success).toBeGreaterThan(0);
  expect(faults).toEqual([]);
});

const fields = [
  "prompt",
  "denoising_strength",
  "steps",
  "seed",
  "width",
  "height",
  "batch_size",
  "n_iter",
  "resize_mode",
];
const more = [
  "mask",
  "styles",
  "alwayson_scripts",
  "override_settings",
  "sampler_name",
  "scheduler",
  "__proto__",
  "send_images",
];

function value(random: Random, depth = 0): unknown {
  const kind = random.below(depth > 3 ? 5 : 7);
  if (kind === 0) return text(random);
  if (kind === 1) return random.pick([0, 1, -1, 0.5, 2, 1e300, 2 ** 53, 128]);
  if (kind === 2) return null;
  if (kind === 3) return random.uniform() < 0.5;
  if (kind === 4) return [];
  if (kind === 5) return Array.from({ length: 2 }, () => value(random, depth + 1));
  return {
    [random.pick(["args", "baret_method", "baret_options", "sd_vae", "constructor"])]: value(random, depth + 1),
  };
}

test("any body of img2img and options has a typed answer", async () => {
  const { url, faults } = await dialectServer();
  const outcomes = await survive(200, [], async (random) => {
    const entries: [string, unknown][] = [];
    if (random.uniform() < 0.9) entries.push(["init_images", [photo.toString("base64")]]);
    if (random.uniform() < 0.9) entries.push(["prompt", "a dog"]);
    for (let k = 0; k < random.uniform() * 4; k++) entries.push([random.pick([...fields, ...more]), value(random)]);
    const body = random.uniform() < 0.05 ? text(random) : JSON.stringify(Object.fromEntries(entries));
    const path = random.pick(["img2img", "img2img", "img2img", "options"]);
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${url}/sdapi/v1/${path}`, { method: "POST", headers, body });
    await checkAnswer(answer, ({ error, detail }: { error: string; detail: string }) => ({
      code: error,
      message: detail,
    }));
  });
  expect(outcomes.success).toBeGreaterThan(0);
  expect(faults).toEqual([]);
});

test("any address has a typed answer", async () => {
  const { url, faults } = await dialectServer();
  for (const path of [
    "/v1/models/%00",
    "/v1/models/%ff",
    "/v1/models/..%2f..%2fetc",
    "/v1/models/",
    "/v1/x",
    "/sdapi/v1/progress?a=%00",
    "/sdapi/v1/x",
  ]) {
    const answer = await fetch(`${url}${path}`);
    expect([200, 400, 404], path).toContain(answer.status);
  }
  expect((await fetch(`${url}/v1/images/edits`)).status).toBeLessThan(500);
  expect((await fetch(`${url}/sdapi/v1/img2img`, { method: "DELETE" })).status).toBeLessThan(500);
  expect(faults).toEqual([]);
});
