import { describe, expect, test } from "vitest";
import {
  checkWeights,
  encodeSafetensors,
  memorySource,
  openCheckpoint,
  readSafetensors,
  readTensor,
} from "../../src/weights/index.ts";
import { originalNames } from "../../src/weights/ldm/parts.ts";
import { openClipWeights } from "../../src/weights/ldm/text.ts";
import { hollow, keys, oneFloat, rawSafetensors, refusal, text } from "./helpers.ts";

const families = ["SD1.x", "SD2.x"] as const;
const networks = { unet: "unet", vae: "vae", text: "textEncoder" } as const;

/** Keys of real files that belong to no network. */
const extras = {
  betas: [1000],
  alphas_cumprod: [1000],
  alphas_cumprod_prev: [1000],
  sqrt_one_minus_alphas_cumprod: [1000],
  log_one_minus_alphas_cumprod: [1000],
  posterior_variance: [1000],
  logvar: [1000],
  scale_factor: [],
  "denoiser.sigmas": [1000],
  "first_stage_model.loss.logvar": [],
  "cond_stage_model.transformer.text_model.embeddings.position_ids": [1, 77],
  "model_ema.decay": [],
  "model_ema.diffusion_modelinput_blocks00weight": [320, 4, 3, 3],
};

test.each(families)("the weights of an %s file get the names of diffusers' own conversion", async (family) => {
  const { original, parts } = keys[family];
  const source = hollow("sd.safetensors", { ...original, ...extras });
  const { tensors } = await readSafetensors(source);
  const checkpoint = await openCheckpoint(source, { prediction: "epsilon" });
  expect(checkpoint.kind).toBe("single file");
  for (const part of ["unet", "vae", "text"] as const) {
    const { weights } = checkpoint[networks[part]];
    const found = [...weights].map(([name, ref]) => {
      const third = (ref.offset - tensors.get(ref.name)!.offset) / ref.length;
      return [name, [ref.shape, ref.name, third]];
    });
    expect(Object.fromEntries(found)).toEqual(parts[part]);
    const expected = new Map(Object.entries(parts[part]).map(([name, [shape]]) => [name, shape]));
    expect(() => checkWeights(expected, weights, { where: part })).not.toThrow();
  }
});

test.each(families)("the configurations of an %s file are those of diffusers' own conversion", async (family) => {
  const checkpoint = await openCheckpoint(hollow("sd.safetensors", keys[family].original), { prediction: "epsilon" });
  for (const part of ["unet", "vae", "text"] as const) {
    expect(checkpoint[networks[part]].config).toMatchObject(keys[family].config[part]);
  }
  expect(checkpoint.tokenizer.config).toMatchObject({
    model_max_length: 77,
    pad_token: family === "SD1.x" ? "<|endoftext|>" : "!",
  });
  expect(checkpoint.tokenizer.vocabulary).toBeUndefined();
  expect(checkpoint.scheduler).toMatchObject({
    betaStart: 0.00085,
    betaEnd: 0.012,
    betaSchedule: "scaled_linear",
    stepsOffset: 1,
    setAlphaToOne: false,
    trainTimesteps: 1000,
  });
});

test.each(families)("every weight of an %s file can be named as in the file, also a missing one", (family) => {
  for (const part of ["unet", "vae", "text"] as const) {
    const found = Object.keys(keys[family].parts[part]).map((name) => [name, originalNames(family)[part](name)]);
    const expected = Object.entries(keys[family].parts[part]).map(([name, [, original]]) => [name, original]);
    expect(found).toEqual(expected);
  }
});

/** Names that the layers of a VAE's attention have in files. */
const attentionNames = {
  today: { norm: "group_norm", q: "to_q", k: "to_k", v: "to_v", proj_out: "to_out.0" },
  "before diffusers 0.18": { norm: "group_norm", q: "query", k: "key", v: "value", proj_out: "proj_attn" },
  original: { norm: "norm", q: "q", k: "k", v: "v", proj_out: "proj_out" },
} as const;
const attentionKey = /^(first_stage_model\.(?:en|de)coder\.mid\.attn_1\.)(norm|q|k|v|proj_out)\.(weight|bias)$/;

describe.each(families)("the VAE of an %s file", (family) => {
  test.each([
    ["today", "a matrix", []],
    ["today", "a 1x1 kernel", [1, 1]],
    ["before diffusers 0.18", "a matrix", []],
    ["before diffusers 0.18", "a 1x1 kernel", [1, 1]],
    ["original", "a matrix", []],
  ] as const)("may call its attention's layers as %s, each projection %s", async (names, _, kernel) => {
    const { original, parts } = keys[family];
    const renamed = Object.entries(original).map(([key, shape]) => {
      const [, path, layer, kind] = attentionKey.exec(key) ?? [];
      if (!path) return [key, shape];
      const isProjection = kind === "weight" && layer !== "norm";
      const name = attentionNames[names][layer as keyof (typeof attentionNames)["today"]];
      return [`${path}${name}.${kind}`, isProjection ? [...shape.slice(0, 2), ...kernel] : shape];
    });
    const source = hollow("sd.safetensors", Object.fromEntries(renamed));
    const { vae, unknown } = await openCheckpoint(source, { prediction: "epsilon" });
    const expected = new Map(Object.entries(parts.vae).map(([name, [shape]]) => [name, shape]));
    expect(() => checkWeights(expected, vae.weights, { where: "vae" })).not.toThrow();
    expect(unknown).toEqual([]);
  });
});

test("a file with two keys for one weight is refused, and both are named", async () => {
  const shapes = { ...sd1, "first_stage_model.encoder.mid.attn_1.to_q.weight": [512, 512] };
  const { message } = await refusal(openCheckpoint(hollow("sd.safetensors", shapes)));
  expect(message).toMatch(/^sd\.safetensors: two keys for one weight: found /);
  for (const name of ["q", "to_q"]) expect(message).toContain(`"first_stage_model.encoder.mid.attn_1.${name}.weight"`);
});

/** Keys as Stability's later code calls the text encoder. */
const inNewerLayout = (shapes: Record<string, number[]>): Record<string, number[]> =>
  Object.fromEntries(
    Object.entries(shapes).map(([key, shape]) => [
      key.replace(/^cond_stage_model\./, "conditioner.embedders.0."),
      shape,
    ]),
  );

test.each(families)(
  "an %s file in the newer layout is the same model, with its own names in errors",
  async (family) => {
    const { original, parts } = keys[family];
    const checkpoint = await openCheckpoint(hollow("sd.safetensors", inNewerLayout(original)), {
      prediction: "epsilon",
    });
    expect(checkpoint.unknown).toEqual([]);
    for (const part of ["unet", "vae", "text"] as const) {
      const { weights, nameInFile } = checkpoint[networks[part]];
      const expected = new Map(Object.entries(parts[part]).map(([name, [shape]]) => [name, shape]));
      expect(() => checkWeights(expected, weights, { where: part })).not.toThrow();
      for (const [name, [, key]] of Object.entries(parts[part])) {
        expect(nameInFile!(name)).toBe(Object.keys(inNewerLayout({ [key]: [] }))[0]);
      }
    }
    const { "conditioner.embedders.0.model.ln_final.bias": _, ...without } = inNewerLayout(keys["SD2.x"].original);
    const broken = await openCheckpoint(hollow("sd.safetensors", without), { prediction: "epsilon" });
    expect(broken.textEncoder.nameInFile!("text_model.final_layer_norm.bias")).toBe(
      "conditioner.embedders.0.model.ln_final.bias",
    );
  },
);

test.each<[string, string]>([
  ["a LoRA", "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"],
  ["a LoRA of another kind", "unet.down_blocks.0.attn.to_q.lora_A.weight"],
  ["a ControlNet", "control_model.time_embed.0.weight"],
  ["SDXL's text encoder", "conditioner.embedders.1.model.ln_final.bias"],
  ["a transformer", "double_blocks.0.img_attn.norm.key_norm.scale"],
  ["a textual inversion", "emb_params"],
  ["a component of diffusers", "text_model.final_layer_norm.bias"],
])("a full checkpoint opens despite leftovers of %s, which are listed as unknown", async (_, key) => {
  for (const family of families) {
    const source = hollow("sd.safetensors", { ...keys[family].original, [key]: [8] });
    const { unknown, unet } = await openCheckpoint(source, { prediction: "epsilon" });
    expect(unknown).toEqual([key]);
    expect(unet.weights.size).toBe(Object.keys(keys[family].parts.unet).length);
  }
});

test("keys that belong to no network are listed as unknown", async () => {
  const foreign = ["first_stage_model.encoder.extra.weight", "motion.module.weight"];
  const shapes = Object.fromEntries(foreign.map((key) => [key, [1]]));
  const { unknown } = await openCheckpoint(hollow("sd.safetensors", { ...keys["SD1.x"].original, ...shapes }));
  expect(unknown).toEqual(foreign);
});

test("fused query, key and value are three views of their rows", async () => {
  const key = "transformer.resblocks.4.attn.in_proj_bias";
  const data = Float32Array.from({ length: 3072 }, (_, i) => i);
  const file = encodeSafetensors({ [key]: { dtype: "F32", shape: [3072], data } });
  const { tensors } = await readSafetensors(memorySource("sd.safetensors", file));
  const views = new Map(openClipWeights(key, tensors.get(key)!));
  for (const [i, part] of ["q", "k", "v"].entries()) {
    const view = views.get(`text_model.encoder.layers.4.self_attn.${part}_proj.bias`)!;
    expect(await readTensor(view)).toEqual({ shape: [1024], data: data.slice(1024 * i, 1024 * (i + 1)) });
  }
});

test.each(families)(
  "a token table of an %s file may have more rows than CLIP's vocabulary, for learnt words",
  async (family) => {
    const { original } = keys[family];
    const key = Object.keys(original).find((name) => name.endsWith("token_embedding.weight"))!;
    const [, width] = original[key];
    const source = hollow("sd.safetensors", { ...original, [key]: [49410, width] });
    const { textEncoder } = await openCheckpoint(source, { prediction: "epsilon" });
    expect(textEncoder.config.vocab_size).toBe(49410);
  },
);

test("a text encoder is read with and without the prefix text_model", async () => {
  const { original, parts } = keys["SD1.x"];
  const bare = Object.entries(original).map(([k, s]) => [k.replace("transformer.text_model.", "transformer."), s]);
  const { textEncoder } = await openCheckpoint(hollow("sd.safetensors", Object.fromEntries(bare)));
  expect([...textEncoder.weights.keys()].sort()).toEqual(Object.keys(parts.text).sort());
});

const sd1 = keys["SD1.x"].original;
const sd2 = keys["SD2.x"].original;
const convIn = "model.diffusion_model.input_blocks.0.0.weight";

test("an SD1.x file predicts ε at 512 pixels unless an option says otherwise", async () => {
  const plain = await openCheckpoint(hollow("sd.safetensors", sd1));
  expect([plain.scheduler.prediction, plain.editing.size.height]).toEqual(["epsilon", 512]);
  const told = await openCheckpoint(hollow("sd.safetensors", sd1), { prediction: "v_prediction" });
  expect([told.scheduler.prediction, told.editing.size.height]).toEqual(["v_prediction", 512]);
});

test("an SD2.x file opens if its metadata or an option says what it predicts", async () => {
  const { message } = await refusal(openCheckpoint(hollow("v2-1.safetensors", sd2)));
  expect(message).toMatch(/v2-1.safetensors: .*does not say what its U-Net predicts/);
  expect(message).toMatch(/Set the option prediction to v_prediction .* or to epsilon/);
  const open = async (prediction?: "epsilon" | "v_prediction", metadata?: Record<string, string>) => {
    const { scheduler, editing, unet } = await openCheckpoint(hollow("v2.safetensors", sd2, metadata), { prediction });
    return [scheduler.prediction, editing.size.height, unet.config.sample_size];
  };
  expect(await open("epsilon")).toEqual(["epsilon", 512, 64]);
  expect(await open("v_prediction")).toEqual(["v_prediction", 768, 96]);
  expect(await open(undefined, { "modelspec.prediction_type": "v" })).toEqual(["v_prediction", 768, 96]);
  expect(await open(undefined, { "modelspec.prediction_type": "epsilon" })).toEqual(["epsilon", 512, 64]);
});

const only = (prefix: string) => Object.fromEntries(Object.entries(sd1).filter(([key]) => key.startsWith(prefix)));

test.each<[string, Uint8Array | Record<string, readonly number[]>, RegExp]>([
  ["inpainting", { ...sd1, [convIn]: [320, 9, 3, 3] }, /\[320, 9, 3, 3\], expected \[320, 4, 3, 3\].*\n.*inpainting/],
  ["InstructPix2Pix", { ...sd1, [convIn]: [320, 8, 3, 3] }, /InstructPix2Pix; baret needs the plain one/],
  ["a depth-to-image model", { ...sd2, [convIn]: [320, 5, 3, 3] }, /a depth-to-image model; baret needs the plain one/],
  ["unCLIP", { ...sd2, "model.diffusion_model.label_emb.0.0.weight": [1280, 2048] }, /U-Net .* also takes .*unCLIP/],
  [
    "a video model",
    { ...sd2, [convIn]: [320, 8, 3, 3], "model.diffusion_model.input_blocks.1.1.time_stack.0.norm1.bias": [320] },
    /this is a video model.*\nbaret runs Stable Diffusion 1.x and 2.x/,
  ],
  [
    "SDXL",
    {
      [convIn]: [320, 4, 3, 3],
      "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": [640, 2048],
      "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias": [768],
      "conditioner.embedders.1.model.ln_final.bias": [1280],
    },
    /this is an SDXL checkpoint/,
  ],
  [
    "SDXL's U-Net alone",
    { [convIn]: [320, 4, 3, 3], "model.diffusion_model.label_emb.0.0.weight": [1280, 2816] },
    /SDXL/,
  ],
  ["SD3", { "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": [1] }, /has a transformer/],
  ["Flux", { "double_blocks.0.img_attn.norm.key_norm.scale": [1] }, /has a transformer/],
  ["LoRA (kohya)", { "lora_unet_down_blocks_0.lora_down.weight": [4, 8] }, /this is a LoRA.*\nMerge it into its base/],
  ["LoRA (peft)", { "unet.down_blocks.0.attn.to_q.lora_A.weight": [4, 8] }, /this is a LoRA/],
  ["ControlNet", { "control_model.time_embed.0.weight": [1] }, /this is a ControlNet/],
  ["textual inversion", { emb_params: [1, 768] }, /textual inversion/],
  ["one component", { "down_blocks.0.resnets.0.conv1.weight": [1] }, /one component of a model/],
  ["an unknown layout", { "blocks.0.weight": [1] }, /not a layout that baret knows: found blocks.0.weight/],
  ["a file without tensors", {}, /not a layout that baret knows: found no tensor/],
  ["a U-Net alone", only("model."), /no weights of the vae, text/],
  ["GGUF", text("GGUF\x03\0\0\0"), /this is a GGUF file/],
  ["a zip pickle", text("PK\x03\x04........"), /Python pickle.*\nUse the .safetensors/],
  ["a bare pickle", Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20), /Python pickle/],
  ["a torn file", rawSafetensors({}, 0, 99n), /truncated within its header: found 10 bytes, expected more than 107/],
  ["another safetensors file", oneFloat("weight"), /not a layout that baret knows/],
])("%s is refused, and the message says what it is", async (_, content, message) => {
  const source =
    content instanceof Uint8Array ? memorySource("m.safetensors", content) : hollow("m.safetensors", content);
  const error = await refusal(openCheckpoint(source));
  expect(error.message).toMatch(message);
  expect(error.message).toContain("m.safetensors");
});

test("a file with the extension of a pickle is refused, whatever its bytes", async () => {
  for (const name of ["a.ckpt", "a.bin", "a.pt", "a.pth"]) {
    expect((await refusal(openCheckpoint(memorySource(name, text("\0".repeat(20)))))).message).toMatch(/Python pickle/);
  }
});

test("a header's length may look like the start of a pickle", async () => {
  // 0x010280 bytes of header: 80 02 01 00 00 00 00 00.
  const json = `{${" ".repeat(0x010280 - 2)}}`;
  const { message } = await refusal(openCheckpoint(memorySource("m.safetensors", rawSafetensors(json))));
  expect(message).toMatch(/not a layout/);
});
