import { z } from "zod";
import {
  aPicture,
  aSize,
  aTensor,
  CheckpointError,
  checkArguments,
  few,
  type IntTensor,
  isA,
  MAX_SIDE,
  type Picture,
  row,
  type Size,
  shapeText,
  shown,
  type Tensor,
  UsageError,
  type Warning,
  workFields,
} from "../core/index.ts";
import * as g from "../graph/index.ts";
import { pictureToTensor, tensorToPicture } from "../image/index.ts";
import {
  type AttentionSite,
  attentionSites,
  type ClipTextConfig,
  clipText,
  decode,
  encode,
  readClipTextConfig,
  readUNetConfig,
  readVaeConfig,
  timeShape,
  type UNetConfig,
  unet,
  type VaeConfig,
} from "../models/index.ts";
import type { Engine } from "../runtime/index.ts";
import { type ClipTokenizer, type Encoding, type UnknownWord, unknownWords } from "../text/index.ts";
import {
  type Checkpoint,
  type Component,
  checkAllWeights,
  type EditingDefaults,
  unusedWeightsWarning,
  type WeightSet,
  type WeightsToCheck,
} from "../weights/index.ts";
import { type OpenArithmetic, openArithmeticHere } from "./arithmetic.ts";
import { atLeastTwo } from "./batch.ts";
import { DeviceArithmetic } from "./deviceArithmetic.ts";
import { type Network, weightsOf } from "./networks.ts";
import type { Platform } from "./platform.ts";
import { ProgramCache, type ProgramLoader } from "./programs.ts";
import { Recent } from "./recent.ts";
import { makeSchedule, type Schedule } from "./schedule.ts";

/** Text embedding of a prompt. */
export interface Embedding {
  /** [1, L, D] */
  readonly tensor: Tensor;
  /** Words cut off by the text encoder's token limit. */
  readonly lostWords: readonly string[];
}

/** Shapes of a latent and of a text embedding, for one picture size. */
export interface LatentShapes {
  /** [C, h, w] */
  readonly latent: readonly number[];
  /** [L, D] */
  readonly embedding: readonly number[];
}

/** A checkpoint and what runs it. */
export interface ModelParts {
  /** Default: the checkpoint's, its path. */
  readonly name?: string;
  readonly checkpoint: Checkpoint;
  readonly tokenizer: ClipTokenizer;
  readonly engine: Engine;
  readonly platform: Platform;
  readonly loader: ProgramLoader;
  /** The place of the computations between predictions. Default: the engine, unless that computes on the CPU. */
  readonly arithmetic?: "here" | "engine";
  /** Latents and pictures that are kept, so that edits of one photo pass it through the VAE once. Default 4. */
  readonly picturesKept?: number;
}

/** Prompts that go through the text encoder together. More take more memory and no less time. */
const PROMPTS_AT_ONCE = 16;
/** Embeddings of as many prompts are kept, so that one edit embeds each prompt once. One of SD1.5 has 237 kB. */
const PROMPTS_KEPT = 64;
/** Default of `picturesKept`. At 512 x 512, each has 1 MB. */
const PICTURES_KEPT = 4;

/** Tokens of a prompt's row, from the configuration of a checkpoint's text encoder. */
export const textLength = (checkpoint: Checkpoint): number => readClipTextConfig(checkpoint.textEncoder.config).length;

const { signal } = workFields;
const embedArguments = z.object({ prompts: z.array(z.string()), signal });
const tokensArguments = z.object({ prompt: z.string(), word: z.string() });
const sizeArguments = z.object({ size: aSize });
const encodeArguments = z.object({ picture: aPicture, signal });
const decodeArguments = z.object({ latents: aTensor, signal });

/** Keys that old releases of transformers wrote, and that are no weights. */
const ignorable = [/(^|\.)position_ids$/];

/**
 * A loaded checkpoint as one value: turns prompts into embeddings and pictures into latents and back, makes schedules, and
 * keeps the programs that every method runs. Latents are scaled as the U-Net takes them.
 */
export class Model {
  /** As `loadModel` found it: "menagerie", a pulled model's full name, or a path. */
  readonly name: string;
  readonly checkpoint: Checkpoint;
  readonly editing: EditingDefaults;
  readonly unet: UNetConfig;
  readonly vae: VaeConfig;
  readonly text: ClipTextConfig;
  readonly engine: Engine;
  /** Functions of Node or of the browser that it needs. */
  readonly platform: Platform;
  readonly programs: ProgramCache;
  /** Guidance, steps of DDIM, losses and Adam: in this process, or on the device. */
  readonly arithmetic: OpenArithmetic;
  private readonly knownWarnings: readonly Warning[];
  private readonly tokenizer: ClipTokenizer;
  /** Attention sites by latent size. */
  private readonly sites = new Map<string, readonly AttentionSite[]>();
  /** Shapes of the weights, by network. */
  private readonly shapes = new Map<Network, ReadonlyMap<string, readonly number[]>>();
  /** Embeddings of the last prompts, oldest first. */
  private readonly embeddings = new Map<string, Embedding>();
  /** Results of the VAE. */
  private readonly encoded: Recent<Tensor>;
  private readonly decoded: Recent<Picture>;

  /** Throws CheckpointError that counts the missing and mis-shaped weights of all components, and lists the first. */
  constructor({
    checkpoint,
    name = checkpoint.name,
    tokenizer,
    engine,
    platform,
    loader,
    arithmetic = engine.device === "cpu" ? "here" : "engine",
    picturesKept = PICTURES_KEPT,
  }: ModelParts) {
    this.name = name;
    this.encoded = new Recent(picturesKept);
    this.decoded = new Recent(picturesKept);
    this.checkpoint = checkpoint;
    this.editing = checkpoint.editing;
    this.unet = readUNetConfig(checkpoint.unet.config);
    this.vae = readVaeConfig(checkpoint.vae.config);
    this.text = readClipTextConfig(checkpoint.textEncoder.config);
    this.tokenizer = tokenizer;
    this.engine = engine;
    this.platform = platform;
    this.programs = new ProgramCache(loader);
    this.arithmetic = arithmetic === "here" ? openArithmeticHere : new DeviceArithmetic(engine);
    this.checkConfigurations();
    const unused = this.checkWeights();
    this.knownWarnings = [
      ...checkpoint.warnings,
      ...unusedWeightsWarning(unused, checkpoint.name),
      ...(engine.warnings ?? []),
    ];
  }

  /** Facts that the model's user should know. More may come up while its programs run. */
  get warnings(): readonly Warning[] {
    return [...this.knownWarnings, ...this.programs.warnings];
  }

  /** Pixels of the picture for one pixel of the latent, along each side. */
  get factor(): number {
    return this.vae.factor;
  }

  /**
   * Shape of a picture's latent: [1, C, H/8, W/8] for a VAE of factor 8. Throws UsageError if a side is not a multiple of
   * the VAE's factor or is longer than 8192.
   */
  latentShape(size: Size): [number, number, number, number] {
    checkArguments("latentShape", sizeArguments, { size });
    const { height, width } = size;
    const fits = (side: number): boolean =>
      Number.isInteger(side) && side > 0 && side <= MAX_SIDE && side % this.factor === 0;
    if (!fits(height) || !fits(width)) {
      throw new UsageError("a picture's side must be a positive multiple of the VAE's factor", {
        where: "size",
        found: `${width}x${height}`,
        expected: `multiples of ${this.factor}, up to ${MAX_SIDE}`,
      });
    }
    return [1, this.unet.inChannels, height / this.factor, width / this.factor];
  }

  /** Shapes of the latent and the text embedding of one picture. Throws UsageError if the model cannot make the size. */
  latentShapes(size: Size): LatentShapes {
    return { latent: this.latentShape(size).slice(1), embedding: [this.text.length, this.text.width] };
  }

  /** The size to work at: `asked`, or the model's own. Throws UsageError if the model cannot make pictures of that size. */
  workingSize(asked?: Size): Size {
    const size = asked ?? this.editing.size;
    this.latentShape(size);
    return size;
  }

  /** DDIM's schedule of this model. Throws UsageError if the model was not trained with so many timesteps. */
  schedule(steps: number): Schedule {
    return makeSchedule(this.checkpoint.scheduler, steps);
  }

  /** Attention layers of the U-Net for pictures of a size, in order of execution. */
  attentionSites(size: Size): readonly AttentionSite[] {
    const [, , height, width] = this.latentShape(size);
    const key = `${height}x${width}`;
    const sites = this.sites.get(key) ?? attentionSites(this.unet, height, width, this.text.length);
    this.sites.set(key, sites);
    return sites;
  }

  /**
   * Embeds prompts, one embedding for each. Words beyond the text encoder's token limit are cut off and named in
   * `lostWords`. Throws UsageError if a prompt has more than 100,000 characters.
   */
  async embed<const S extends readonly string[]>(
    prompts: S,
    signal?: AbortSignal,
  ): Promise<{ -readonly [K in keyof S]: Embedding }>;
  async embed(prompts: readonly string[], signal?: AbortSignal): Promise<Embedding[]> {
    checkArguments("embed", embedArguments, { prompts, signal });
    const different = [...new Set(prompts)];
    // Kept aside: the memory of embeddings may forget some of these while others are computed.
    const known = new Map(
      different.flatMap((one) => (this.embeddings.has(one) ? [[one, this.embeddings.get(one)!]] : [])),
    );
    const missing = different.filter((one) => !known.has(one));
    if (missing.length > 0) {
      await this.programs.during(["text"], async () => {
        for (let from = 0; from < missing.length; from += PROMPTS_AT_ONCE) {
          const some = missing.slice(from, from + PROMPTS_AT_ONCE);
          for (const [k, embedding] of (await this.encodePrompts(some, signal)).entries())
            known.set(some[k], embedding);
        }
      });
    }
    for (const [prompt, embedding] of known) {
      this.embeddings.delete(prompt);
      this.embeddings.set(prompt, embedding);
    }
    for (const prompt of this.embeddings.keys()) {
      if (this.embeddings.size <= PROMPTS_KEPT) break;
      this.embeddings.delete(prompt);
    }
    // Copies: what a caller does with its tensor must not change the next edit.
    return prompts.map((prompt) => {
      const { tensor, lostWords } = known.get(prompt)!;
      return { tensor: { shape: tensor.shape, data: tensor.data.slice() }, lostWords };
    });
  }

  /**
   * Positions of a word's tokens in the row of a prompt, [start of text, prompt, end of text, padding]: a word may be several
   * tokens, and stand in the prompt several times. word: one word, or several in a row. Throws UsageError if the prompt does
   * not contain it.
   */
  tokensOf(prompt: string, word: string): number[] {
    checkArguments("tokensOf", tokensArguments, { prompt, word });
    const found = this.positionsOf(prompt, word);
    if (found.length > 0) return found;
    const lost = this.lostWords(prompt);
    throw new UsageError("the prompt has no such word", {
      found: shown(word),
      expected: `some of ${few(this.wordsOf(prompt))}`,
      ...(lost.length > 0 && { advice: "Words beyond the text encoder's token limit are cut off." }),
    });
  }

  /** Like `tokensOf`, but returns no position if the prompt does not contain the word. */
  positionsOf(prompt: string, word: string): number[] {
    return this.tokenizer.positionsOf(prompt, word);
  }

  /** Returns a prompt's tokens, and the words that they belong to. Throws UsageError if it has more than 100,000 characters. */
  tokenize(prompt: string): Encoding {
    return this.tokenizer.encode(prompt);
  }

  /** The different words of a prompt that the text encoder reads, in order, without the punctuation around them. */
  wordsOf(prompt: string): string[] {
    const { words } = this.tokenizer.encode(prompt);
    const bare = words.map(({ text }) => text.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "") || text);
    return [...new Set(bare)].filter((word) => this.tokenizer.positionsOf(prompt, word).length > 0);
  }

  /** Returns the shapes of the weights that a network uses, by their names in the checkpoint. */
  weightShapes(network: Network): ReadonlyMap<string, readonly number[]> {
    const shapes = this.shapes.get(network) ?? this.shapesOf(network);
    this.shapes.set(network, shapes);
    return shapes;
  }

  /** Returns the checkpoint's weights of a network, by their names. */
  weights(network: Network): WeightSet {
    return weightsOf(this.checkpoint)[network];
  }

  /** Returns the tokens of a prompt as the text encoder takes them, [1, L]. Words beyond its limit are cut off. */
  tokensOfPrompt(prompt: string): IntTensor {
    return { shape: [1, this.text.length], data: Int32Array.from(this.tokenizer.encode(prompt).ids.data) };
  }

  /** Returns the words of a prompt that are cut off by the text encoder's token limit. */
  lostWords(prompt: string): readonly string[] {
    return this.tokenizer.encode(prompt).lostWords;
  }

  /**
   * Returns the words of a prompt that the model was not trained on, with the nearest ones that it was trained on. Empty if
   * the model does not list its words. Words beyond the text encoder's token limit and added tokens do not count.
   */
  unknownWords(prompt: string): UnknownWord[] {
    const { knownWords } = this.checkpoint;
    if (!knownWords) return [];
    const read = this.tokenizer.encode(prompt).words.map(({ text }) => text);
    return unknownWords(this.tokenizer.withoutAddedTokens(read.join(" ")), knownWords);
  }

  /** Runs prompts through the text encoder, all at once. A batch of two or more, so that others change no bit of one. */
  private async encodePrompts(prompts: readonly string[], signal?: AbortSignal): Promise<Embedding[]> {
    const session = await this.programs.open("text", "text encoder", () => this.textGraph(), signal);
    const encodings = prompts.map((prompt) => this.tokenizer.encode(prompt));
    const rows = atLeastTwo(encodings);
    const ids: IntTensor = {
      shape: [rows.length, this.text.length],
      data: Int32Array.from(rows.flatMap((e) => [...e.ids.data])),
    };
    const { hidden } = await session.run({ ids }, { finite: true, signal });
    return encodings.map(({ lostWords }, i) => ({
      tensor: { shape: [1, ...hidden.shape.slice(1)], data: row(hidden, i).data.slice() },
      lostWords,
    }));
  }

  /** Encodes a picture as a latent, [1, C, H/8, W/8]: the posterior's mean times the scaling factor. */
  async encode(picture: Picture, signal?: AbortSignal): Promise<Tensor> {
    checkArguments("encode", encodeArguments, { picture, signal });
    this.latentShape(picture);
    const name = `encoder for pictures of ${picture.width}x${picture.height}`;
    const { shape, data } = await this.encoded.of(name, picture.data, () =>
      this.programs.during(["vae"], async () => {
        const session = await this.programs.open("vae", name, () => this.encoderGraph(picture), signal);
        return (await session.run({ picture: pictureToTensor(picture) }, { finite: true, signal })).latent;
      }),
    );
    return { shape, data: data.slice() };
  }

  /** Decodes latents, [B, C, H/8, W/8], as pictures. */
  async decode(latents: Tensor, signal?: AbortSignal): Promise<Picture[]> {
    checkArguments("decode", decodeArguments, { latents, signal });
    const [count, channels, h, w] = latents.shape;
    if (latents.shape.length !== 4 || channels !== this.vae.latentChannels || !(h > 0 && w > 0)) {
      throw new UsageError("not latents of this model", {
        found: `shape ${shapeText(latents.shape)}`,
        expected: `[B, ${this.vae.latentChannels}, H/${this.factor}, W/${this.factor}]`,
      });
    }
    const name = `decoder for pictures of ${w * this.factor}x${h * this.factor}`;
    return this.programs.during(["vae"], async () => {
      const session = await this.programs.open("vae", name, () => this.decoderGraph(h, w), signal, {
        approximate: true,
      });
      const pictures: Picture[] = [];
      // One by one: a decoder's activations at 512 x 512 take gigabytes, and a batch is no faster.
      for (let i = 0; i < count; i++) {
        const latent = row(latents, i);
        const picture = await this.decoded.of(name, latent.data, async () =>
          tensorToPicture((await session.run({ latent }, { finite: true, signal })).picture),
        );
        pictures.push({ ...picture, data: picture.data.slice() });
      }
      return pictures;
    });
  }

  /** Encodes and decodes a picture: the VAE's reconstruction, closer to which no edit can stay. */
  async roundTrip(picture: Picture, signal?: AbortSignal): Promise<Picture> {
    return (await this.decode(await this.encode(picture, signal), signal))[0];
  }

  /** Releases memory and ends the engine. Later calls that run something throw UsageError. */
  async close(): Promise<void> {
    this.embeddings.clear();
    this.encoded.clear();
    this.decoded.clear();
    await this.programs.close();
    await this.engine.close();
  }

  /** For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private textGraph(): Record<string, g.Node> {
    return { hidden: clipText(this.text, g.input("ids", ["B", this.text.length], "int64")) };
  }

  private encoderGraph({ height, width }: Size): Record<string, g.Node> {
    const { mean } = encode(this.vae, g.input("picture", [1, 3, height, width]));
    return { latent: g.mul(mean, this.vae.scalingFactor) };
  }

  private decoderGraph(height: number, width: number): Record<string, g.Node> {
    const latent = g.input("latent", [1, this.vae.latentChannels, height, width]);
    return { picture: decode(this.vae, g.div(latent, this.vae.scalingFactor)) };
  }

  private checkConfigurations(): void {
    const { height, width } = this.editing.size;
    const misfits = [
      this.vae.latentChannels !== this.unet.inChannels &&
        `${this.vae.latentChannels} latent channels in the VAE, ${this.unet.inChannels} in the U-Net`,
      this.tokenizer.maxLength !== this.text.length &&
        `rows of ${this.tokenizer.maxLength} tokens from the tokenizer, ${this.text.length} in the text encoder`,
      this.tokenizer.vocabularySize > this.text.vocabulary &&
        `${this.tokenizer.vocabularySize} tokens in the tokenizer, ${this.text.vocabulary} in the text encoder`,
      (height % this.factor !== 0 || width % this.factor !== 0) &&
        `pictures of ${width}x${height} in the editing defaults, multiples of ${this.factor} in the VAE`,
    ].filter((misfit) => misfit !== false);
    if (misfits.length > 0) {
      throw new CheckpointError("parts of the model do not belong together", {
        where: this.name,
        found: misfits.join("; "),
      });
    }
  }

  /** Computes the shapes of the weights that a network uses, by their names. */
  private shapesOf(network: Network): ReadonlyMap<string, readonly number[]> {
    // The weights' shapes do not depend on the picture's size. This side can be halved as often as there are levels.
    const side = 2 ** this.unet.blocks.length;
    const pixels = side * this.factor;
    const outputs = {
      unet: () => {
        const sample = g.input("sample", [1, this.unet.inChannels, side, side]);
        const context = g.input("context", [1, this.text.length, this.text.width]);
        return [unet(this.unet, { sample, time: g.input("time", timeShape(this.unet, 1)), context })];
      },
      vae: () => [
        ...Object.values(this.encoderGraph({ height: pixels, width: pixels })),
        ...Object.values(this.decoderGraph(side, side)),
      ],
      text: () => Object.values(this.textGraph()),
    };
    const parameters = g.parametersOf(outputs[network]());
    return new Map([...parameters].map(([name, { shape }]) => [name, shape as readonly number[]]));
  }

  /** Names of the weights that no part of the model uses. */
  private checkWeights(): string[] {
    const { kind, unknown, ...parts } = this.checkpoint;
    const toCheck = (part: string, network: Network, { weights, nameInFile }: Component): WeightsToCheck => ({
      // Names in a single file say which network they belong to.
      part: kind === "single file" ? undefined : part,
      expected: this.weightShapes(network),
      actual: weights,
      nameInFile,
    });
    const networks = [
      toCheck("unet", "unet", parts.unet),
      toCheck("vae", "vae", parts.vae),
      toCheck("text_encoder", "text", parts.textEncoder),
    ];
    return checkAllWeights(networks, { where: this.name, ignorable }, unknown);
  }
}

export const aModel = isA<Model>("a model, as loadModel returns it", (value) => value instanceof Model);
