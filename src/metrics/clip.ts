import {
  type IntTensor,
  NumericError,
  type Picture,
  stack,
  type Tensor,
  tensor,
  throwIfCancelled,
  UsageError,
  type Warning,
  type Work,
} from "../core/index.ts";
import { parametersOf } from "../graph/index.ts";
import { endPositions, logitScale } from "../models/index.ts";
import { type Engine, loadGraph, type Session } from "../runtime/index.ts";
import { mapWeights } from "../runtime/node/index.ts";
import type { Cache } from "../storage/index.ts";
import { DiskCache } from "../storage/node.ts";
import type { ClipTokenizer } from "../text/index.ts";
import {
  checkWeights,
  type Folder,
  type ModelFolder,
  openModelFolder,
  readTensor,
  unusedWeightsWarning,
} from "../weights/index.ts";
import { type ClipParts, openFolder, readParts, towersOf } from "./clipParts.ts";
import { pixelsOf } from "./preprocessing.ts";

/** Prefix of every prompt in CLIPScore (Hessel et al. 2021). Published figures exist with and without it. */
export const CLIP_SCORE_PREFIX = "A photo depicts ";

/** Pictures and sentences that one call of a tower takes. 32 pictures make layers of 135 MB in a ViT-L/14 of 224 pixels. */
const picturesAtOnce = 32;
const sentencesAtOnce = 64;

export interface ClipOptions extends Work {
  /** Keeps fp16 weights as float32. Default: the user's cache folder. */
  cache?: Cache;
}

/** Agreement of a picture with a sentence. */
export interface ClipScore {
  /** Cosine of the two embeddings. */
  readonly cosine: number;
  /** 2.5·max(cosine, 0): CLIPScore, Hessel et al. 2021. */
  readonly score: number;
  /** Words of the sentence for which the model has no room; they did not count. */
  readonly lostWords: readonly string[];
}

/** Cosine of two unit embeddings: row i of a, row j of b. */
export function cosine(a: Tensor, i: number, b: Tensor, j: number): number {
  const width = a.shape[1];
  let sum = 0;
  for (let k = 0; k < width; k++) sum += a.data[i * width + k] * b.data[j * width + k];
  return sum;
}

/** A CLIPModel that is ready to compare pictures and sentences. Its engine belongs to the caller. */
export class Clip {
  /** exp(logit_scale): what cosines are multiplied with before a softmax. */
  readonly scale: number;
  /** Facts about the model's files that its user should know. */
  readonly warnings: readonly Warning[];
  private readonly parts: ClipParts;
  private readonly image: Session;
  private readonly text: Session;

  private constructor(parts: ClipParts, scale: number, image: Session, text: Session, warnings: readonly Warning[]) {
    this.warnings = warnings;
    this.parts = parts;
    this.scale = scale;
    this.image = image;
    this.text = text;
  }

  get name(): string {
    return this.parts.name;
  }

  get tokenizer(): ClipTokenizer {
    return this.parts.tokenizer;
  }

  /** Length P of the embeddings. */
  get width(): number {
    return this.parts.config.projection;
  }

  /**
   * Loads a folder as `save_pretrained` of a CLIPModel and its processor writes it. Throws CheckpointError where it is
   * none, or its parts do not belong together, with everything that is wrong; and what loading a graph throws.
   */
  static async load(engine: Engine, place: string | Folder, options: ClipOptions = {}): Promise<Clip> {
    return Clip.open(engine, await openModelFolder(await openFolder(place)), options);
  }

  /** The same, from a folder that is open. */
  static async open(engine: Engine, model: ModelFolder, options: ClipOptions = {}): Promise<Clip> {
    const { cache = new DiskCache(), signal, onProgress } = options;
    const parts = await readParts(model);
    const towers = towersOf(parts);
    const expected = parametersOf([towers.image, towers.text, logitScale()]);
    const shapes = new Map([...expected].map(([key, { shape }]) => [key, shape as readonly number[]]));
    const unused = checkWeights(shapes, model.weights, { where: model.name, ignorable: [/position_ids$/] });
    const scale = Math.exp((await readTensor(model.weights.get("logit_scale")!)).data[0]);
    if (!Number.isFinite(scale)) throw new NumericError("logit_scale", { where: model.name, found: `exp = ${scale}` });
    const weights = await mapWeights(model.weights, { cache, signal, onProgress });
    try {
      const load = (name: "image" | "text"): Promise<Session> =>
        loadGraph(engine, { embeddings: towers[name] }, { name: `${model.name}, ${name} tower`, weights, signal });
      const image = await load("image");
      const text = await load("text").catch(async (error) => {
        await image.release();
        throw error;
      });
      return new Clip(parts, scale, image, text, unusedWeightsWarning(unused, model.name));
    } finally {
      await weights.release();
    }
  }

  /** Unit embeddings [n, P] of pictures of any size. */
  async embedPictures(pictures: readonly Picture[], work: Work = {}): Promise<Tensor> {
    return this.inBatches("look at pictures", pictures.length, picturesAtOnce, work, (from, to) =>
      this.embedPixels(pixelsOf(pictures.slice(from, to), this.parts.preprocessing), work),
    );
  }

  /** Unit embeddings [n, P] of what the vision tower takes: [n, 3, S, S], normalised. All in one call. */
  async embedPixels(pixels: Tensor, { signal }: Work = {}): Promise<Tensor> {
    const { embeddings } = await this.image.run({ pixels }, { finite: true, signal });
    return embeddings;
  }

  /** Unit embeddings [n, P] of sentences. Words for which the model has no room are left out. */
  async embedSentences(sentences: readonly string[], work: Work = {}): Promise<Tensor> {
    return this.inBatches("read sentences", sentences.length, sentencesAtOnce, work, async (from, to) => {
      const rows = sentences.slice(from, to).map((sentence) => this.tokenizer.encode(sentence).ids);
      const ids: IntTensor = {
        shape: [rows.length, this.tokenizer.maxLength],
        data: Int32Array.from(rows.flatMap(({ data }) => [...data])),
      };
      const ends = endPositions(this.parts.config.text, ids);
      const { embeddings } = await this.text.run({ ids, ends }, { finite: true, signal: work.signal });
      return embeddings;
    });
  }

  /** CLIPScore of each picture with the sentence of the same number. Throws UsageError where one is left over. */
  async score(
    pictures: readonly Picture[],
    sentences: readonly string[],
    { prefix = "", ...work }: Work & { prefix?: string } = {},
  ): Promise<ClipScore[]> {
    if (pictures.length !== sentences.length) {
      throw new UsageError("sentences to score pictures with", {
        found: `${sentences.length}`,
        expected: `${pictures.length}`,
      });
    }
    const texts = sentences.map((sentence) => prefix + sentence);
    const seen = await this.embedPictures(pictures, work);
    const said = await this.embedSentences(texts, work);
    return texts.map((text, i) => {
      const similarity = cosine(seen, i, said, i);
      const { lostWords } = this.tokenizer.encode(text);
      return { cosine: similarity, score: 2.5 * Math.max(similarity, 0), lostWords };
    });
  }

  /** Frees the memory that it holds. */
  async release(): Promise<void> {
    await Promise.all([this.image.release(), this.text.release()]);
  }

  private async inBatches(
    phase: string,
    total: number,
    batch: number,
    { signal, onProgress }: Work,
    embed: (from: number, to: number) => Promise<Tensor>,
  ): Promise<Tensor> {
    const parts: Tensor[] = [];
    for (let done = 0; done < total; ) {
      throwIfCancelled(signal, phase);
      const to = Math.min(total, done + batch);
      parts.push(await embed(done, to));
      done = to;
      onProgress?.({ phase, done, total });
    }
    return parts.length === 0 ? tensor([0, this.width]) : stack(parts);
  }
}
