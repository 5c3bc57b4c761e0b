import { z } from "zod";
import {
  aPicture,
  aSize,
  aTensor,
  CheckpointError,
  checkArguments,
  type IntTensor,
  isA,
  MAX_SIDE,
  type Picture,
  row,
  type Size,
  type Tensor,
  UsageError,
  type Warning,
  workFields,
} from "../core/index.ts";
import * as g from "../graph/index.ts";
import { fromUnit, toUnit } from "../image/index.ts";
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
import type { ClipTokenizer } from "../text/index.ts";
import {
  type Checkpoint,
  type Component,
  checkAllWeights,
  type EditingDefaults,
  unusedWeightsWarning,
  type WeightsToCheck,
} from "../weights/index.ts";
import { atLeastTwo } from "./batch.ts";
import { type ProgramLoader, Programs } from "./programs.ts";
import { makeSchedule, type Schedule } from "./schedule.ts";

/** A sentence as a model hears it. */
export interface Embedding {
  /** [1, L, D] */
  readonly tensor: Tensor;
  /** Words that found no room in it. */
  readonly lostWords: readonly string[];
}

/** A checkpoint with what it takes to run it. */
export interface ModelParts {
  readonly checkpoint: Checkpoint;
  readonly tokenizer: ClipTokenizer;
  readonly engine: Engine;
  readonly loader: ProgramLoader;
}

/** Prompts that go through the text encoder together: more take more memory, and no less time. */
const PROMPTS_AT_ONCE = 16;

/** Tokens of a checkpoint's sentences, from its text encoder's configuration. */
export const textLength = (checkpoint: Checkpoint): number => readClipTextConfig(checkpoint.textEncoder.config).length;

const { signal } = workFields;
const embedArguments = z.object({ sentences: z.array(z.string()), signal });
const sizeArguments = z.object({ size: aSize });
const encodeArguments = z.object({ picture: aPicture, signal });
const decodeArguments = z.object({ latents: aTensor, signal });

/** Keys that old releases of transformers wrote and that hold no weight. */
const ignorable = [/(^|\.)position_ids$/];

/**
 * A loaded checkpoint as one value: sentences to embeddings, pictures to latents and back, schedules, and the programs
 * that every method runs. Latents are scaled as the U-Net takes them.
 */
export class Model {
  readonly name: string;
  readonly checkpoint: Checkpoint;
  readonly editing: EditingDefaults;
  readonly unet: UNetConfig;
  readonly vae: VaeConfig;
  readonly text: ClipTextConfig;
  readonly engine: Engine;
  readonly programs: Programs;
  /** Facts about the model's files that its user should know. */
  readonly warnings: readonly Warning[];
  private readonly tokenizer: ClipTokenizer;

  /** Throws CheckpointError that counts the missing and mis-shaped weights of all components, and lists the first. */
  constructor({ checkpoint, tokenizer, engine, loader }: ModelParts) {
    this.name = checkpoint.name;
    this.checkpoint = checkpoint;
    this.editing = checkpoint.editing;
    this.unet = readUNetConfig(checkpoint.unet.config);
    this.vae = readVaeConfig(checkpoint.vae.config);
    this.text = readClipTextConfig(checkpoint.textEncoder.config);
    this.tokenizer = tokenizer;
    this.engine = engine;
    this.programs = new Programs(loader);
    this.checkConfigurations();
    const unused = this.checkWeights();
    this.warnings = [...checkpoint.warnings, ...unusedWeightsWarning(unused, checkpoint.name)];
  }

  /** Pixels for one latent pixel, along each side. */
  get factor(): number {
    return this.vae.factor;
  }

  /**
   * Shape of the latents of a picture, [1, C, H/8, W/8] with a VAE of factor 8. Throws UsageError if a side is no multiple
   * of the VAE's factor, or larger than 8192.
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

  /** The size to work at: the one that is asked for, or the model's own. Throws UsageError for one that it cannot make. */
  workingSize(asked?: Size): Size {
    const size = asked ?? this.editing.size;
    this.latentShape(size);
    return size;
  }

  /** DDIM's schedule of this model. Throws UsageError. */
  schedule(steps: number): Schedule {
    return makeSchedule(this.checkpoint.scheduler, steps);
  }

  /** Attention layers of the U-Net at a picture size, in order of execution. */
  attentionSites(size: Size): AttentionSite[] {
    const [, , height, width] = this.latentShape(size);
    return attentionSites(this.unet, height, width, this.text.length);
  }

  /**
   * Embeddings of prompts, one for each. What a prompt has beyond the text encoder's tokens is cut off and named in
   * `lostWords`. Throws UsageError if a prompt has more than 100,000 characters.
   */
  async embed<const S extends readonly string[]>(
    sentences: S,
    signal?: AbortSignal,
  ): Promise<{ -readonly [K in keyof S]: Embedding }>;
  async embed(sentences: readonly string[], signal?: AbortSignal): Promise<Embedding[]> {
    checkArguments("embed", embedArguments, { sentences, signal });
    if (sentences.length === 0) return [];
    const session = await this.programs.open("text", "text encoder", () => this.textGraph(), signal);
    const known = new Map<string, Embedding>();
    const different = [...new Set(sentences)];
    for (let from = 0; from < different.length; from += PROMPTS_AT_ONCE) {
      const some = different.slice(from, from + PROMPTS_AT_ONCE);
      const encodings = some.map((sentence) => this.tokenizer.encode(sentence));
      // A prompt among others has the same bits however many they are.
      const rows = sentences.length > 1 ? atLeastTwo(encodings) : encodings;
      const ids: IntTensor = {
        shape: [rows.length, this.text.length],
        data: Int32Array.from(rows.flatMap((e) => [...e.ids.data])),
      };
      const { hidden } = await session.run({ ids }, { finite: true, signal });
      for (const [i, { lostWords }] of encodings.entries()) {
        const tensor = { shape: [1, ...hidden.shape.slice(1)], data: row(hidden, i).data.slice() };
        known.set(some[i], { tensor, lostWords });
      }
    }
    return sentences.map((sentence) => known.get(sentence)!);
  }

  /** The latent of a picture, [1, C, H/8, W/8]: the posterior's mean times the scaling factor. */
  async encode(picture: Picture, signal?: AbortSignal): Promise<Tensor> {
    checkArguments("encode", encodeArguments, { picture, signal });
    const [, , h, w] = this.latentShape(picture);
    const session = await this.programs.open("vae", `encoder ${h}x${w}`, () => this.encoderGraph(picture), signal);
    return (await session.run({ picture: toUnit(picture) }, { finite: true, signal })).latent;
  }

  /** Pictures of latents [B, C, H/8, W/8]. */
  async decode(latents: Tensor, signal?: AbortSignal): Promise<Picture[]> {
    checkArguments("decode", decodeArguments, { latents, signal });
    const [count, channels, h, w] = latents.shape;
    if (latents.shape.length !== 4 || channels !== this.vae.latentChannels || !(h > 0 && w > 0)) {
      throw new UsageError("not latents of this model", {
        found: `shape [${latents.shape.join(", ")}]`,
        expected: `[B, ${this.vae.latentChannels}, H/${this.factor}, W/${this.factor}]`,
      });
    }
    const session = await this.programs.open("vae", `decoder ${h}x${w}`, () => this.decoderGraph(h, w), signal);
    const pictures: Picture[] = [];
    // One by one: a decoder's activations at 512 x 512 take gigabytes, and a batch is no faster.
    for (let i = 0; i < count; i++) {
      const { picture } = await session.run({ latent: row(latents, i) }, { finite: true, signal });
      pictures.push(fromUnit(picture));
    }
    return pictures;
  }

  /** What the picture is once the VAE has had it: the most that any edit can keep of it. */
  async roundTrip(picture: Picture, signal?: AbortSignal): Promise<Picture> {
    return (await this.decode(await this.encode(picture, signal), signal))[0];
  }

  async close(): Promise<void> {
    await this.programs.close();
    await this.engine.close();
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

  /** Names of the weights that no part of the model uses. */
  private checkWeights(): string[] {
    // Any size will do to find the weights' shapes; this one can be halved as often as any known model does.
    const side = 2 ** this.unet.blocks.length;
    const sample = g.input("sample", [1, this.unet.inChannels, side, side]);
    const context = g.input("context", [1, this.text.length, this.text.width]);
    const predicted = unet(this.unet, { sample, time: g.input("time", timeShape(this.unet, 1)), context });
    const pixels = side * this.factor;
    const vae = [
      ...Object.values(this.encoderGraph({ height: pixels, width: pixels })),
      ...Object.values(this.decoderGraph(side, side)),
    ];
    const { kind, unknown, ...parts } = this.checkpoint;
    const toCheck = (part: string, outputs: readonly g.Node[], { weights, nameInFile }: Component): WeightsToCheck => ({
      // A single file's own names say which part they are of.
      part: kind === "single file" ? undefined : part,
      expected: new Map([...g.parametersOf(outputs)].map(([key, node]) => [key, node.shape as readonly number[]])),
      actual: weights,
      nameInFile,
    });
    const networks = [
      toCheck("unet", [predicted], parts.unet),
      toCheck("vae", vae, parts.vae),
      toCheck("text_encoder", Object.values(this.textGraph()), parts.textEncoder),
    ];
    return checkAllWeights(networks, { where: this.name, ignorable }, unknown);
  }
}

export const aModel = isA<Model>("a model, as loadModel gives it", (value) => value instanceof Model);
