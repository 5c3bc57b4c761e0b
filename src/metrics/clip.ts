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
import type { ClipTokenizer } from "../text/index.ts";
import {
  type ByteSource,
  checkWeights,
  type Folder,
  type ModelFolder,
  openModelFolder,
  readTensor,
  unusedWeightsWarning,
} from "../weights/index.ts";
import { type ClipFolder, type ClipOptions, clipFolder, readClipFolder, towersOf } from "./clipFolder.ts";
import { pixelsOf } from "./preprocessing.ts";

/** Prefix of every prompt in CLIPScore (Hessel et al. 2021). Papers report scores with and without it. */
export const CLIP_SCORE_PREFIX = "A photo depicts ";

/** Batch sizes. 32 pictures give layers of 135 MB in a ViT-L/14 at 224 pixels. */
const picturesAtOnce = 32;
const textsAtOnce = 64;

/** Similarity of a picture and a text. */
export interface ClipScore {
  /** Cosine of the two embeddings. */
  readonly cosine: number;
  /** 2.5·max(cosine, 0): CLIPScore, Hessel et al. 2021. */
  readonly score: number;
  /** Words cut off by the text encoder's token limit. They did not count. */
  readonly lostWords: readonly string[];
}

/** Returns the cosine of two unit embeddings: row i of a, row j of b. */
export function cosine(a: Tensor, i: number, b: Tensor, j: number): number {
  const width = a.shape[1];
  let sum = 0;
  for (let k = 0; k < width; k++) sum += a.data[i * width + k] * b.data[j * width + k];
  return sum;
}

/** Reads a folder without its weights. Throws CheckpointError that lists all problems if its files or weights do not fit. */
async function checkedFiles(model: ModelFolder, options: ClipOptions) {
  const files = await readClipFolder(model, options);
  const towers = towersOf(files);
  const expected = parametersOf([towers.image, towers.text, logitScale()]);
  const shapes = new Map([...expected].map(([key, { shape }]) => [key, shape as readonly number[]]));
  const unused = checkWeights(shapes, model.weights, { where: model.name, ignorable: [/position_ids$/] });
  return { files, towers, unused };
}

/** A loaded CLIPModel, which compares pictures and texts. The caller owns the engine. */
export class Clip {
  /** exp(logit_scale). Cosines are multiplied by it before a softmax. */
  readonly scale: number;
  /** Facts about the model's files that the user should know. */
  readonly warnings: readonly Warning[];
  private readonly files: ClipFolder;
  private readonly image: Session;
  private readonly text: Session;

  private constructor(files: ClipFolder, scale: number, image: Session, text: Session, warnings: readonly Warning[]) {
    this.warnings = warnings;
    this.files = files;
    this.scale = scale;
    this.image = image;
    this.text = text;
  }

  get name(): string {
    return this.files.name;
  }

  /** Its name without folders, for records, which are shared. */
  get shortName(): string {
    return this.name.replace(/[\\/]+$/, "").replace(/^.*[\\/]/, "");
  }

  get tokenizer(): ClipTokenizer {
    return this.files.tokenizer;
  }

  /** Length P of the embeddings. */
  get width(): number {
    return this.files.config.projection;
  }

  /** Throws as `load` if a folder is no CLIPModel, but loads no weights. */
  static async check(model: Folder | ByteSource, options: Pick<ClipOptions, "merges"> = {}): Promise<void> {
    await checkedFiles(await openModelFolder(clipFolder(model)), options);
  }

  /**
   * Loads a folder that `save_pretrained` of a CLIPModel and its processor wrote. Throws CheckpointError that lists all
   * problems if the folder is none or its files contradict each other, and errors of loading a graph.
   */
  static async load(engine: Engine, model: Folder | ByteSource, options: ClipOptions = {}): Promise<Clip> {
    return Clip.open(engine, await openModelFolder(clipFolder(model)), options);
  }

  /** Loads an open folder, as `load` does. */
  static async open(engine: Engine, model: ModelFolder, { merges, ...work }: ClipOptions = {}): Promise<Clip> {
    const { files, towers, unused } = await checkedFiles(model, { merges });
    const scale = Math.exp((await readTensor(model.weights.get("logit_scale")!)).data[0]);
    if (!Number.isFinite(scale)) throw new NumericError("logit_scale", { where: model.name, found: `exp = ${scale}` });
    const weights = await engine.mapWeights(model.weights, work);
    try {
      const load = (name: "image" | "text"): Promise<Session> =>
        loadGraph(
          engine,
          { embeddings: towers[name] },
          { name: `${model.name}, ${name} tower`, weights, signal: work.signal },
        );
      const image = await load("image");
      const text = await load("text").catch(async (error) => {
        await image.release();
        throw error;
      });
      return new Clip(files, scale, image, text, unusedWeightsWarning(unused, model.name));
    } finally {
      await weights.release();
    }
  }

  /** Embeds pictures of any size. Returns unit vectors [n, P]. */
  async embedPictures(pictures: readonly Picture[], work: Work = {}): Promise<Tensor> {
    return this.inBatches("embed pictures", pictures.length, picturesAtOnce, work, (from, to) =>
      this.embedPixels(pixelsOf(pictures.slice(from, to), this.files.preprocessing), work),
    );
  }

  /** Embeds preprocessed pixels [n, 3, S, S] in one batch. Returns unit vectors [n, P]. */
  async embedPixels(pixels: Tensor, { signal }: Work = {}): Promise<Tensor> {
    const { embeddings } = await this.image.run({ pixels }, { finite: true, signal });
    return embeddings;
  }

  /** Embeds texts. Returns unit vectors [n, P]. Words beyond the token limit are cut off. */
  async embedTexts(texts: readonly string[], work: Work = {}): Promise<Tensor> {
    return this.inBatches("embed texts", texts.length, textsAtOnce, work, async (from, to) => {
      const rows = texts.slice(from, to).map((text) => this.tokenizer.encode(text).ids);
      const ids: IntTensor = {
        shape: [rows.length, this.tokenizer.maxLength],
        data: Int32Array.from(rows.flatMap(({ data }) => [...data])),
      };
      const ends = endPositions(this.files.config.text, ids);
      const { embeddings } = await this.text.run({ ids, ends }, { finite: true, signal: work.signal });
      return embeddings;
    });
  }

  /** CLIPScore of each picture with its text. Throws UsageError if pictures and texts differ in number. */
  async score(
    pictures: readonly Picture[],
    texts: readonly string[],
    { prefix = "", ...work }: Work & { prefix?: string } = {},
  ): Promise<ClipScore[]> {
    if (pictures.length !== texts.length) {
      throw new UsageError("texts to score pictures with", {
        found: `${texts.length}`,
        expected: `${pictures.length}`,
      });
    }
    const prompts = texts.map((text) => prefix + text);
    const pictureVectors = await this.embedPictures(pictures, work);
    const textVectors = await this.embedTexts(prompts, work);
    return prompts.map((prompt, i) => {
      const similarity = cosine(pictureVectors, i, textVectors, i);
      const { lostWords } = this.tokenizer.encode(prompt);
      return { cosine: similarity, score: 2.5 * Math.max(similarity, 0), lostWords };
    });
  }

  /** Frees the model's memory. */
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
    const batches: Tensor[] = [];
    for (let done = 0; done < total; ) {
      throwIfCancelled(signal, phase);
      const to = Math.min(total, done + batch);
      batches.push(await embed(done, to));
      done = to;
      onProgress?.({ phase, done, total });
    }
    return batches.length === 0 ? tensor([0, this.width]) : stack(batches);
  }
}
