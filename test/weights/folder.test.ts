import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLocal } from "../../src/storage/node/index.ts";
import {
  encodeSafetensors,
  type Folder,
  openCheckpoint,
  openModelFolder,
  readTensor,
  type TensorData,
} from "../../src/weights/index.ts";
import { refusal } from "./helpers.ts";

const fixtures = fileURLToPath(new URL("../fixtures", import.meta.url));
const fixture = (name: string) => join(fixtures, name);

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "baret-weights-"));
});
afterEach(() => rmSync(home, { recursive: true }));

/** A copy of a fixture's folder, to change. */
function copy(name: string): string {
  const path = join(home, name);
  cpSync(fixture(name), path, { recursive: true });
  return path;
}

const open = async (path: string, variant?: string) => openCheckpoint(await openLocal(path), { variant });
const put = (path: string, value: object | string) =>
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));

test("a diffusers folder gives configurations, weights under current names, tokenizer and defaults", async () => {
  for (const name of ["tiny-sd1", "tiny-sd2"]) {
    const { kind, unet, vae, textEncoder, scheduler, tokenizer, editing } = await open(fixture(name));
    expect(kind).toBe("diffusers folder");
    expect(unet.config._class_name).toBe("UNet2DConditionModel");
    expect(unet.weights.get("conv_in.weight")?.shape.slice(1)).toEqual([4, 3, 3]);
    expect(vae.weights.get("decoder.mid_block.attentions.0.to_out.0.weight")?.shape).toHaveLength(2);
    expect(textEncoder.weights.get("text_model.embeddings.position_embedding.weight")?.shape[0]).toBe(77);
    expect(scheduler.prediction).toBe(name === "tiny-sd1" ? "epsilon" : "v_prediction");
    expect(tokenizer.config.pad_token).toBe(name === "tiny-sd1" ? "<|endoftext|>" : "!");
    expect(Object.keys(tokenizer.vocabulary ?? {})).toEqual(["vocab", "merges"]);
    expect(editing).toMatchObject({ guidance: 7.5, steps: 50, methods: {} });
  }
});

test("a weight is a place in a file on disk and can be read from it", async () => {
  const { unet } = await open(fixture("tiny-sd2"));
  const ref = unet.weights.get("conv_in.bias")!;
  expect(ref.source.path).toBe(fixture("tiny-sd2/unet/diffusion_pytorch_model.safetensors"));
  const { data, shape } = await readTensor(ref);
  expect(data).toHaveLength(shape[0]);
  expect(data.some((x) => x !== 0) && data.every(Number.isFinite)).toBe(true);
});

test("a scheduler that asks for clipped samples is used without clipping, with one warning", async () => {
  const path = copy("tiny-sd1");
  const file = join(path, "scheduler/scheduler_config.json");
  const original = JSON.parse(readFileSync(file, "utf8"));
  const { scheduler, warnings } = await open(path);
  expect(warnings).toEqual([]);
  put(file, { ...original, clip_sample: true, clip_sample_range: 1, thresholding: true });
  const clipped = await open(path);
  expect(clipped.scheduler).toEqual(scheduler);
  expect(clipped.warnings).toMatchObject([
    {
      code: "no-clipping",
      message: `${file}: clip_sample and thresholding will not be used: latents have no bounds to clip to`,
    },
  ]);
});

test("a scheduler of any class is read if it gives its noise schedule; a flow is refused", async () => {
  const path = copy("tiny-sd1");
  const file = join(path, "scheduler/scheduler_config.json");
  const original = JSON.parse(readFileSync(file, "utf8"));
  const { className: _, ...schedule } = (await open(path)).scheduler;
  for (const _class_name of ["DDIMParallelScheduler", "TCDScheduler", "MySampler", "FlaxDDIMScheduler", null]) {
    put(file, { ...original, _class_name });
    expect((await open(path)).scheduler).toEqual({ ...schedule, className: _class_name ?? "" });
  }
  const { beta_start, beta_end, beta_schedule, ...without } = original;
  for (const _class_name of ["DDIMScheduler", "DDIMParallelScheduler"]) {
    put(file, { ...without, _class_name });
    expect((await open(path)).scheduler).toMatchObject({ betaStart: 0.0001, betaEnd: 0.02, betaSchedule: "linear" });
  }
  for (const _class_name of ["LCMScheduler", "FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", null]) {
    put(file, { ...without, _class_name });
    expect((await refusal(open(path))).message).toMatch(
      /noise schedule cannot be used\n {2}_class_name: found .*, expected a class with a noise schedule, or beta_start/,
    );
  }
  put(file, {
    ...without,
    _class_name: "LCMScheduler",
    num_train_timesteps: 3,
    trained_betas: [0.1, 0.2, 0.3],
    steps_offset: 1,
  });
  expect((await open(path)).scheduler).toMatchObject({ trainTimesteps: 3, trainedBetas: [0.1, 0.2, 0.3] });
  put(file, { ...original, trained_betas: [0.1], steps_offset: 1000 });
  expect((await refusal(open(path))).message).toMatch(
    /trained_betas: found 1, expected 1000.*\n.*steps_offset: found 1000, expected less than 1000/,
  );
});

test("Python's Infinity and NaN change nothing in unused fields and are refused in used ones", async () => {
  const path = copy("tiny-sd1");
  const { scheduler } = await open(path);
  const file = join(path, "scheduler/scheduler_config.json");
  const original = JSON.parse(readFileSync(file, "utf8"));
  const write = (last: string) => put(file, `${JSON.stringify(original).slice(0, -1)},${last}}`);
  write('"lambda_min_clipped": -Infinity, "sigma_max": Infinity, "sigma_data": NaN');
  expect((await open(path)).scheduler).toEqual(scheduler);
  delete original.beta_start;
  write('"beta_start": NaN');
  expect((await refusal(open(path))).message).toMatch(/beta_start: found NaN, expected 1e-8\.\.0\.9999/);
});

test("pictures have the size that the model was trained on, also if height and width differ", async () => {
  const path = copy("tiny-sd1");
  const file = join(path, "unet/config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  const sizeWith = async (sample_size: unknown, editing = {}) => {
    put(file, { ...config, sample_size });
    put(join(path, "editing.json"), editing);
    const { editing: defaults, warnings } = await open(path);
    return [defaults.size.height, defaults.size.width, ...warnings.map(({ message }) => message)];
  };
  expect(await sizeWith(16)).toEqual([128, 128]);
  expect(await sizeWith([16, 24])).toEqual([128, 192]);
  expect(await sizeWith(null)).toEqual([512, 512]);
  expect(await sizeWith([16, 24], { size: 64 })).toEqual([64, 64]);
  expect(await sizeWith(16, { size: { height: 64, width: 128 } })).toEqual([64, 128]);
  for (const none of ["64", [16], [16, 16, 16], [16, "16"], 0, -8, 0.3, 1e9]) {
    const [height, width, ...messages] = await sizeWith(none);
    expect([height, width]).toEqual([512, 512]);
    expect(messages).toEqual([
      `${file}: sample_size ${JSON.stringify(none)} is no size of latents; pictures are 512x512 unless another size is given`,
    ]);
  }
});

test("editing defaults of the former format open the model, and a warning says that they are not used", async () => {
  const path = copy("tiny-sd1");
  const file = join(path, "editing.json");
  put(file, { steps: 7, inversion: { learningRate: 0.02 }, edit: { alpha: [0.2, 0] } });
  const { editing, warnings } = await open(path);
  expect(editing).toMatchObject({ steps: 7, methods: {} });
  expect(warnings.map(({ message }) => message)).toEqual([
    `${file}: inversion, edit will not be used: today's format is methods.NAME.prepare and methods.NAME.edit`,
  ]);
});

test("a folder's VAE may have old names and 1x1 kernels in its attention, but no weight under two keys", async () => {
  const path = copy("tiny-sd1");
  const file = join(path, "vae/diffusion_pytorch_model.safetensors");
  const before = (await open(path)).vae.weights;
  const old: Record<string, string> = { to_q: "query", to_k: "key", to_v: "value", "to_out.0": "proj_attn" };
  const written: Record<string, TensorData> = {};
  for (const [key, ref] of before) {
    const name = key.replace(
      /(\.attentions\.0\.)(to_q|to_k|to_v|to_out\.0)\./,
      (_, at, layer) => `${at}${old[layer]}.`,
    );
    const { shape, data } = await readTensor(ref);
    const isKernel = name !== key && name.endsWith(".weight");
    written[name] = { dtype: "F32", shape: isKernel ? [...shape, 1, 1] : shape, data };
  }
  writeFileSync(file, encodeSafetensors(written));
  const after = (await open(path)).vae.weights;
  expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
  for (const [key, { shape }] of after) expect(shape).toEqual(before.get(key)!.shape);
  const [query] = Object.keys(written).filter((key) => key.endsWith(".query.weight"));
  writeFileSync(file, encodeSafetensors({ ...written, [query.replace("query", "to_q")]: written[query] }));
  expect((await refusal(open(path))).message).toMatch(
    /two keys for one weight: found ".*query\.weight" and ".*to_q\.weight"|to_q.*query/,
  );
});

test("the folder of one network opens by itself", async () => {
  const clip = await openModelFolder((await openLocal(fixture("clip-new"))) as Folder);
  expect(clip.weights.has("visual_projection.weight")).toBe(true);
  expect(clip.tokenizer).toBeUndefined();
  const unet = await openModelFolder((await openLocal(fixture("unet-bk-tiny"))) as Folder);
  expect(unet.weights.get("conv_in.weight")?.dtype).toBe("BF16");
});

/** The folder `path` as the Hugging Face cache would hold it: links into blobs that have no names. */
function asCache(path: string): string {
  const cache = join(home, "models--tiny--sd");
  const snapshot = join(cache, "snapshots/0123abcd");
  mkdirSync(join(cache, "blobs"), { recursive: true });
  mkdirSync(join(cache, "refs"));
  put(join(cache, "refs/main"), "0123abcd\n");
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  for (const [i, file] of files.entries()) {
    const blob = join(cache, "blobs", `${i}`.padStart(40, "e"));
    const link = join(snapshot, relative(path, file.parentPath), file.name);
    renameSync(join(file.parentPath, file.name), blob);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(link), blob), link);
  }
  return cache;
}

test("a model in the Hugging Face cache opens by its entry and by its snapshot", async () => {
  const plain = await open(fixture("tiny-sd1"));
  const cache = asCache(copy("tiny-sd1"));
  symlinkSync(cache, join(home, "link"));
  for (const path of [cache, join(cache, "snapshots/0123abcd"), join(home, "link")]) {
    const { unet } = await open(path);
    expect([...unet.weights.keys()]).toEqual([...plain.unet.weights.keys()]);
    const bias = unet.weights.get("conv_in.bias")!;
    expect(bias.source.path).toMatch(/blobs\/e+\d+$/);
    expect(await readTensor(bias)).toEqual(await readTensor(plain.unet.weights.get("conv_in.bias")!));
  }
});

test("a cached model without refs/main opens by its only snapshot, and is refused if it has two", async () => {
  const cache = asCache(copy("tiny-sd1"));
  rmSync(join(cache, "refs/main"));
  expect((await open(cache)).kind).toBe("diffusers folder");
  mkdirSync(join(cache, "snapshots/9999"));
  expect((await refusal(open(cache))).message).toMatch(/several snapshots.*found 0123abcd, 9999, expected refs\/main/);
  put(join(cache, "refs/main"), "../../../etc");
  expect((await refusal(open(cache))).message).toMatch(/several snapshots.*expected ..\/..\/..\/etc/);
});

test("a link may lead to weights outside of the model's folder, and to nothing else", async () => {
  const path = copy("tiny-sd1");
  const weights = join(path, "unet/diffusion_pytorch_model.safetensors");
  renameSync(weights, join(home, "elsewhere.safetensors"));
  symlinkSync(join(home, "elsewhere.safetensors"), weights);
  const { unet } = await open(path);
  expect(unet.weights.get("conv_in.weight")?.source.path).toBe(join(home, "elsewhere.safetensors"));

  for (const [file, foreign] of [
    ["unet/diffusion_pytorch_model.safetensors", "secret"],
    ["unet/config.json", "secret"],
    ["unet/config.json", "secret.json"],
    ["tokenizer/merges.txt", "secret"],
    ["tokenizer/merges.txt", "secret.txt"],
  ]) {
    put(join(home, foreign), "{}");
    const broken = copy("tiny-sd2");
    rmSync(join(broken, file));
    symlinkSync(join(home, foreign), join(broken, file));
    const { message } = await refusal(open(broken));
    expect(message).toContain(
      `${broken}/${file}: a link leads out of the model's folder to a file that holds no weights`,
    );
    expect(message).toContain(`found ${home}/${foreign}`);
    rmSync(broken, { recursive: true });
  }
});

test("a broken link, a pipe and a folder in place of a file are refused at once", async () => {
  const path = copy("tiny-sd1");
  const config = join(path, "vae/config.json");
  rmSync(config);
  symlinkSync("nowhere.json", config);
  expect((await refusal(open(path))).message).toMatch(/vae\/config.json: there is no such file/);
  rmSync(config);
  execFileSync("mkfifo", [config]);
  expect((await refusal(open(path))).message).toMatch(/vae\/config.json: it is a pipe, not a regular file/);
  rmSync(config);
  mkdirSync(config);
  expect((await refusal(open(path))).message).toMatch(/vae\/config.json: it is a folder, not a regular file/);
});

test("a path out of the model's folder is refused", async () => {
  const folder = (await openLocal(copy("tiny-sd1"))) as Folder;
  put(join(home, "other.json"), {});
  expect((await refusal(folder.open("../other.json"))).message).toMatch(/leaves the model's folder/);
  expect((await refusal(folder.open("/etc/hostname"))).message).toMatch(/leaves the model's folder/);
});

test("a file that was truncated after opening is refused, not read as zeros", async () => {
  const path = copy("tiny-sd1");
  const { unet } = await open(path);
  const last = [...unet.weights.values()].sort((a, b) => b.offset - a.offset)[0];
  writeFileSync(last.source.path!, "short");
  expect((await refusal(readTensor(last))).message).toMatch(/the file ends too early: found 5 bytes/);
});

test("the variant chooses a weight file; without it, the plain file or the only one is taken", async () => {
  const path = copy("tiny-sd1");
  const file = (name: string) => join(path, "unet", `diffusion_pytorch_model${name}.safetensors`);
  const taken = async (variant?: string) =>
    (await openModelFolder((await openLocal(join(path, "unet"))) as Folder, { variant })).weights.get("conv_in.bias")!
      .source.path;
  cpSync(file(""), file(".fp16"));
  cpSync(file(""), file(".non_ema"));
  expect(await taken()).toBe(file(""));
  expect(await taken("fp16")).toBe(file(".fp16"));
  expect((await refusal(taken("bf16"))).message).toMatch(
    /no weights of the variant "bf16": .*expected .*bf16.safetens.*\nSet the option variant to one that is there, or to none/,
  );
  rmSync(file(""));
  expect((await refusal(taken())).message).toMatch(
    /found .*fp16.safetensors, .*non_ema.safetensors.*\n.*option variant/s,
  );
  rmSync(file(".non_ema"));
  expect(await taken()).toBe(file(".fp16"));
});

test("a component without the variant gives its plain file if another component has the variant", async () => {
  const path = copy("tiny-sd1");
  const file = (name: string) => join(path, name);
  cpSync(file("unet/diffusion_pytorch_model.safetensors"), file("unet/diffusion_pytorch_model.fp16.safetensors"));
  const { unet, vae, textEncoder } = await open(path, "fp16");
  const paths = [unet, vae, textEncoder].map(({ weights }) => [...weights.values()][0].source.path);
  expect(paths).toEqual([
    file("unet/diffusion_pytorch_model.fp16.safetensors"),
    file("vae/diffusion_pytorch_model.safetensors"),
    file("text_encoder/model.safetensors"),
  ]);
  expect((await refusal(open(path, "bf16"))).message).toMatch(/no weights of the variant "bf16"/);
  renameSync(file("vae/diffusion_pytorch_model.safetensors"), file("vae/diffusion_pytorch_model.ema.safetensors"));
  const { message } = await refusal(open(path, "fp16"));
  expect(message).toMatch(/vae: no weights of the variant "fp16": found diffusion_pytorch_model.ema.safetensors/);
});

/** Cuts the text encoder of a folder into two shards. */
async function shard(path: string, index = "model.safetensors.index.json"): Promise<Record<string, string>> {
  const folder = join(path, "text_encoder");
  const { weights } = await openModelFolder((await openLocal(folder)) as Folder);
  const map: Record<string, string> = {};
  const shards: Record<string, Parameters<typeof encodeSafetensors>[0]> = {};
  for (const [i, [key, ref]] of [...weights].filter(([, ref]) => ref.dtype !== "I64").entries()) {
    const { data, shape } = await readTensor(ref);
    map[key] = `model-0000${1 + (i % 2)}-of-00002.safetensors`;
    shards[map[key]] = { ...shards[map[key]], [key]: { dtype: "F32", shape, data } };
  }
  for (const [file, tensors] of Object.entries(shards)) writeFileSync(join(folder, file), encodeSafetensors(tensors));
  put(join(folder, index), { metadata: { total_size: 1 }, weight_map: map });
  rmSync(join(folder, "model.safetensors"));
  return map;
}

test("shards are joined by their index, with and without a variant", async () => {
  const whole = (await open(fixture("tiny-sd2"))).textEncoder.weights;
  const path = copy("tiny-sd2");
  await shard(path);
  const { weights } = (await open(path)).textEncoder;
  expect([...weights.keys()].sort()).toEqual([...whole.keys()].sort());
  for (const [key, ref] of weights) expect(await readTensor(ref)).toEqual(await readTensor(whole.get(key)!));
  const plain = join(path, "text_encoder/model.safetensors.index.json");
  for (const name of ["model.safetensors.index.fp16.json", "model.fp16.safetensors.index.json"]) {
    renameSync(plain, join(path, "text_encoder", name));
    expect(
      (await openModelFolder((await openLocal(join(path, "text_encoder"))) as Folder, { variant: "fp16" })).weights
        .size,
    ).toBe(whole.size);
    renameSync(join(path, "text_encoder", name), plain);
  }
});

test("an index that does not fit its shards is refused, and every difference is listed", async () => {
  const path = copy("tiny-sd2");
  const map = await shard(path);
  const [first, second, third] = Object.keys(map);
  const index = join(path, "text_encoder/model.safetensors.index.json");
  const { [second]: _, ...rest } = map;
  put(index, { weight_map: { ...rest, ghost: map[first], [third]: "../../../model.safetensors" } });
  const { message } = await refusal(open(path));
  expect(message).toMatch(/the index of the shards does not fit them/);
  expect(message).toContain(`"ghost": not in "${map[first]}"`);
  expect(message).toContain(`"${second}": in ${map[second]}, but the index does not say so`);
  expect(message).toContain(`"../../../model.safetensors" is not the name of a shard`);
  put(index, { weight_map: [1] });
  expect((await refusal(open(path))).message).toMatch(/"weight_map" is not an object/);
  put(index, { weight_map: { a: "model-00009-of-00009.safetensors" } });
  expect((await refusal(open(path))).message).toMatch(/model-00009-of-00009.safetensors: there is no such file/);
});
