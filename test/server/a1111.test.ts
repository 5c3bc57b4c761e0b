import { readFileSync } from "node:fs";
import sharp from "sharp";
import { StableDiffusionApi } from "stable-diffusion-api";
import { expect, test } from "vitest";
import { BusyError } from "../../src/server/errors.ts";
import { dialectServer } from "../support/dialectServer.ts";

const photo = "examples/dog.png";
const base64 = readFileSync(photo).toString("base64");
const prompt = "a dog lying down";

interface Img2ImgReply {
  readonly info: string;
  readonly images: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A server, and an existing client as its users make it. */
async function opened(times: Parameters<typeof dialectServer>[0] = {}) {
  const server = await dialectServer(times);
  const client = new StableDiffusionApi({ baseUrl: server.url });
  const post = async (path: string, body: unknown, signal?: AbortSignal) => {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${server.url}/sdapi/v1/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal,
    });
    return { status: answer.status, body: (await answer.json()) as Img2ImgReply };
  };
  return { ...server, client, post };
}

/** All fields that the Python package webuiapi 0.9.17 sends if its user gives photo and prompt alone. */
const webuiapi = {
  init_images: [`data:image/png;base64,${base64}`],
  resize_mode: 0,
  denoising_strength: 0.75,
  mask_blur: 4,
  inpainting_fill: 0,
  inpaint_full_res: true,
  inpaint_full_res_padding: 0,
  inpainting_mask_invert: 0,
  initial_noise_multiplier: 1,
  prompt,
  styles: [],
  seed: -1,
  subseed: -1,
  subseed_strength: 0,
  seed_resize_from_h: 0,
  seed_resize_from_w: 0,
  batch_size: 1,
  n_iter: 1,
  steps: 20,
  cfg_scale: 7,
  image_cfg_scale: 1.5,
  width: 512,
  height: 512,
  restore_faces: false,
  tiling: false,
  do_not_save_samples: false,
  do_not_save_grid: false,
  negative_prompt: "",
  eta: 1,
  s_churn: 0,
  s_tmax: 0,
  s_tmin: 0,
  s_noise: 1,
  override_settings: {},
  override_settings_restore_afterwards: true,
  sampler_name: "Euler a",
  scheduler: "automatic",
  sampler_index: "Euler a",
  include_init_images: false,
  script_name: null,
  script_args: [],
  send_images: true,
  save_images: false,
  alwayson_scripts: { ADetailer: { args: [false] }, ControlNet: { args: [] } },
};

test("an existing client edits a photo: SDEdit with the strength, steps, guidance and size that it names", async () => {
  const { client, service } = await opened();
  const result = await client.img2img({
    init_images: [sharp(photo)],
    prompt,
    denoising_strength: 0.4,
    seed: 5,
    width: 128,
    height: 128,
  });
  expect(await result.image.metadata()).toMatchObject({ width: 128, height: 128, format: "png" });
  expect(service.submitted).toEqual([
    expect.objectContaining({
      method: "sdedit",
      target: prompt,
      fit: "stretch",
      size: "128x128",
      options: { strength: 0.4, steps: 20, guidance: 7, seed: 5 },
    }),
  ]);
  expect(JSON.parse(result.info)).toMatchObject({ seed: 5, sampler_name: "DDIM", width: 128 });
});

test("the defaults of the Python client are taken; a seed of -1 is drawn and told", async () => {
  const { post, service } = await opened();
  const { status, body } = await post("img2img", webuiapi);
  expect(status).toBe(200);
  const { seed } = JSON.parse(body.info);
  expect(seed).toBeGreaterThanOrEqual(0);
  expect(service.submitted[0]).toMatchObject({ size: "512x512", options: { seed } });
  expect(body.parameters).toMatchObject({ prompt, denoising_strength: 0.75 });
  expect(body.parameters.init_images).toBeUndefined();
});

test("a request of photo and prompt alone is enough", async () => {
  const { post, service } = await opened();
  expect((await post("img2img", { init_images: [base64], prompt })).status).toBe(200);
  expect(service.submitted[0]).toMatchObject({ options: { strength: 0.75 } });
  expect(service.submitted[0].size).toBeUndefined();
});

test("a batch has one seed after the other, and batches of several photos keep their order", async () => {
  const { post, service } = await opened();
  const many = await post("img2img", { ...webuiapi, seed: 3, batch_size: 2, n_iter: 2 });
  expect(many.body.images).toHaveLength(4);
  expect(service.submitted.map(({ options }) => options.seed)).toEqual([3, 4, 5, 6]);
  const negative = (await sharp(photo).negate({ alpha: false }).png().toBuffer()).toString("base64");
  service.submitted.length = 0;
  await post("img2img", { ...webuiapi, init_images: [base64, negative], n_iter: 2 });
  const photos = service.submitted.map((request) => request.photo);
  expect(photos).toEqual([photos[0], photos[1], photos[0], photos[1]]);
  expect(photos[0]).not.toBe(photos[1]);
});

test("another method is chosen by settings of the request; the strength says how much to keep", async () => {
  const { post, service } = await opened();
  const override_settings = { baret_method: "baret", baret_options: { selfSteps: 0.3 }, baret_preset: "fast" };
  await post("img2img", { init_images: [base64], prompt, denoising_strength: 0.25, override_settings });
  expect(service.submitted[0]).toMatchObject({
    method: "baret",
    preset: "fast",
    options: { keep: 0.75, selfSteps: 0.3 },
  });
});

test.each([
  ["mask", { mask: base64 }],
  ["negative_prompt", { negative_prompt: "a cat" }],
  ["sampler_name", { sampler_name: "DPM++ 2M" }],
  ["restore_faces", { restore_faces: true }],
  ["alwayson_scripts", { alwayson_scripts: { ControlNet: { args: [{ module: "canny" }] } } }],
  ["script_name", { script_name: "outpainting" }],
  ["styles", { styles: ["oil"] }],
  ["denoising_strength", { denoising_strength: 2 }],
  ["resize_mode", { resize_mode: 3 }],
  ["batch_size", { batch_size: 100 }],
  ["n_iter", { batch_size: 8, n_iter: 8 }],
  ["height", { width: 128, height: null }],
  ["init_images.0", { init_images: ["https://example.org/dog.png"] }],
  ["init_images.0", { init_images: [Buffer.from("text").toString("base64")] }],
  ["init_images", { init_images: [] }],
  ["prompt", { prompt: "" }],
  ["override_settings.sd_vae", { override_settings: { sd_vae: "other.pt" } }],
  ["override_settings.eta_noise_seed_delta", { override_settings: { eta_noise_seed_delta: 31_337 } }],
  ["override_settings.baret_method", { override_settings: { baret_method: "magic" } }],
  ["wonder", { wonder: 1 }],
])("%s that cannot be honoured is refused by its name", async (param, fields) => {
  const { post, service, faults } = await opened();
  const { status, body } = await post("img2img", { ...webuiapi, ...fields });
  expect(body).toMatchObject({ error: "usage", param, detail: expect.stringContaining(param) });
  expect(status).toBe(400);
  expect(service.submitted).toEqual([]);
  expect(faults).toEqual([]);
});

test("an unknown model, a full queue and a body that is not JSON are told", async () => {
  const { post, service, url } = await opened();
  const other = { ...webuiapi, override_settings: { sd_model_checkpoint: "dreams" } };
  expect(await post("img2img", other)).toMatchObject({ status: 404, body: { error: "not_found" } });
  service.refusal = new BusyError("the queue is full", { retryAfter: 3 });
  expect((await post("img2img", webuiapi)).status).toBe(429);
  const headers = { "Content-Type": "application/json" };
  expect((await fetch(`${url}/sdapi/v1/img2img`, { method: "POST", headers, body: "{" })).status).toBe(400);
  expect((await fetch(`${url}/sdapi/v1/img2img`, { method: "POST", headers, body: " ".repeat(5 << 20) })).status).toBe(
    413,
  );
});

test("a client reads the lists and chooses a model, which its later edits use", async () => {
  const { client, post, service } = await opened();
  const models = await client.getSdModels();
  expect(models.map(({ model_name }) => model_name)).toEqual(["menagerie", "org/other"]);
  expect((await client.getOptions()).sd_model_checkpoint).toBe(models[0].title);
  await client.setOptions({ sd_model_checkpoint: models[1].title });
  expect((await client.getOptions()).sd_model_checkpoint).toBe(models[1].title);
  await post("img2img", webuiapi);
  expect(service.submitted[0]).toMatchObject({ model: "org/other" });
  expect((await client.getSamplers()).map(({ name }) => name)).toEqual(["DDIM"]);
  expect(await client.getUpscalers()).toEqual([]);
  expect((await post("options", { sd_model_checkpoint: "dreams" })).status).toBe(404);
  expect((await post("options", { show_progressbar: false })).status).toBe(400);
  expect((await post("options", [null])).status).toBe(400);
});

test("progress is that of the client's running edit, with a preview, and 0 before and after it", async () => {
  const { client, service } = await opened();
  service.onJob = () => undefined;
  expect(await client.getProgress()).toMatchObject({ progress: 0, state: { job_count: 0 } });
  const editing = client.img2img({ init_images: [sharp(photo)], prompt });
  await service.until(() => service.submitted.length === 1);
  const [{ id }] = await service.jobs();
  service.start(id);
  service.report(id, { type: "progress", progress: { phase: "edit", done: 5, total: 20, secondsLeft: 3 } });
  const webp = await sharp(photo).webp().toBuffer();
  service.report(id, { type: "preview", preview: `data:image/webp;base64,${webp.toString("base64")}` });
  const progress = await client.getProgress();
  expect(progress).toMatchObject({
    progress: expect.closeTo(0.62),
    eta_relative: 3,
    state: { job_count: 1, sampling_step: 5, sampling_steps: 20 },
  });
  expect((await sharp(Buffer.from(progress.current_image, "base64")).metadata()).format).toBe("png");
  service.finish(id);
  await editing;
  expect(await client.getProgress()).toMatchObject({ progress: 0, state: { job_count: 0 } });
});

test("interrupt stops the client's own edits and nothing else", async () => {
  const { post, service } = await opened();
  service.onJob = () => undefined;
  const photoId = (await service.addPhoto(readFileSync(photo))).id;
  // The same client's edit through another API.
  const other = { kind: "edit" as const, photo: photoId, target: prompt, options: {}, images: ["edit"] };
  const native = await service.submit(
    { ...other, fit: "crop", priority: "batch", strip: false, previews: false },
    "address:127.0.0.1",
  );
  const editing = post("img2img", webuiapi);
  await service.until(() => service.submitted.length === 2);
  expect((await post("interrupt", {})).status).toBe(200);
  expect(await editing).toMatchObject({ status: 409, body: { error: "cancelled" } });
  const states = new Map((await service.jobs()).map(({ id, state }) => [id, state]));
  expect(states.get(native.job.id)).toBe("queued");
});

test("a client that leaves cancels its edit after a grace time", async () => {
  const { post, service } = await opened({ graceMs: 100 });
  service.onJob = () => undefined;
  const left = new AbortController();
  const editing = post("img2img", webuiapi, left.signal);
  await service.until(() => service.submitted.length === 1);
  left.abort();
  await expect(editing).rejects.toThrow();
  await service.until(() => service.cancelled.length === 1);
});
