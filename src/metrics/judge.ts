import { z } from "zod";
import { CheckpointError, listed, type Picture, shown, type Tensor, type Work } from "../core/index.ts";
import { readConfig } from "../models/index.ts";
import type { Engine } from "../runtime/index.ts";
import { type ByteSource, type Folder, openModelFolder, readJsonObject } from "../weights/index.ts";
import { Clip, cosine } from "./clip.ts";
import { type ClipOptions, clipFolder } from "./clipFolder.ts";

const ATTRIBUTES = "attributes.json";

/** Attribute → value → prompt that describes it. */
export type AttributePrompts = Readonly<Record<string, Readonly<Record<string, string>>>>;

const schema = z.record(
  z.string().min(1),
  z
    .record(z.string().min(1), z.string().regex(/\S/, "expected a prompt"))
    .refine((prompts) => Object.keys(prompts).length > 1, "expected at least two values"),
);

/** The judge's labels for one picture. */
export interface Verdict {
  /** Most probable value of every attribute, also of those that the picture cannot show. */
  readonly labels: Readonly<Record<string, string>>;
  /** Probability of each value: softmax of scaled cosines over the values of an attribute. */
  readonly probabilities: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/**
 * Classifies pictures with CLIP, as training/judge.py does: for each attribute, the value whose prompt has the highest
 * cosine with the picture.
 */
export class Judge {
  readonly clip: Clip;
  readonly attributes: AttributePrompts;
  /** Embeddings of all prompts, one attribute after another. */
  private readonly promptVectors: Tensor;

  private constructor(clip: Clip, attributes: AttributePrompts, promptVectors: Tensor) {
    this.clip = clip;
    this.attributes = attributes;
    this.promptVectors = promptVectors;
  }

  /**
   * Loads the folder of a CLIPModel with attributes.json, as training/export.py writes it. Throws CheckpointError if the
   * folder is none, or if the tokenizer cannot distinguish two prompts.
   */
  static async load(engine: Engine, folder: Folder | ByteSource, options: ClipOptions = {}): Promise<Judge> {
    const model = await openModelFolder(clipFolder(folder));
    if (!(await model.folder.list()).some(({ name }) => name === ATTRIBUTES)) {
      throw new CheckpointError(`there is no ${ATTRIBUTES}`, {
        where: model.name,
        advice:
          "A judge such as checkpoints/menagerie-judge has one. Other CLIP models can score pictures, but not classify them.",
      });
    }
    const source = await model.folder.open(ATTRIBUTES);
    const attributes = readAttributes(await readJsonObject(source), source.name);
    const clip = await Clip.open(engine, model, options);
    try {
      requireDistinct(attributes, clip, source.name);
      const prompts = Object.values(attributes).flatMap((values) => Object.values(values));
      return new Judge(clip, attributes, await clip.embedTexts(prompts, { signal: options.signal }));
    } catch (error) {
      await clip.release();
      throw error;
    }
  }

  /** Classifies each picture. */
  async classify(pictures: readonly Picture[], work: Work = {}): Promise<Verdict[]> {
    const vectors = await this.clip.embedPictures(pictures, work);
    return pictures.map((_, i) => this.verdict(vectors, i));
  }

  /** Frees the memory of the judge and its CLIP model. */
  release(): Promise<void> {
    return this.clip.release();
  }

  private verdict(vectors: Tensor, picture: number): Verdict {
    const labels: Record<string, string> = {};
    const probabilities: Record<string, Record<string, number>> = {};
    let prompt = 0;
    for (const [attribute, prompts] of Object.entries(this.attributes)) {
      const logits = Object.keys(prompts).map(
        (value) => [value, this.clip.scale * cosine(vectors, picture, this.promptVectors, prompt++)] as const,
      );
      const [best, most] = logits.reduce((a, b) => (b[1] > a[1] ? b : a));
      const total = logits.reduce((sum, [, logit]) => sum + Math.exp(logit - most), 0);
      labels[attribute] = best;
      probabilities[attribute] = Object.fromEntries(
        logits.map(([value, logit]) => [value, Math.exp(logit - most) / total]),
      );
    }
    return { labels, probabilities };
  }
}

function readAttributes(json: unknown, where: string): AttributePrompts {
  const attributes = readConfig(schema, json, where, "It must hold {attribute: {value: prompt}}.");
  if (Object.keys(attributes).length === 0) {
    throw new CheckpointError("no attributes", { where, expected: "{attribute: {value: prompt}}" });
  }
  return attributes;
}

/** Throws CheckpointError if two prompts of an attribute have the same tokens, or if a prompt is cut off. */
function requireDistinct(attributes: AttributePrompts, { tokenizer }: Clip, where: string): void {
  const problems: string[] = [];
  for (const [attribute, prompts] of Object.entries(attributes)) {
    const known = new Map<string, string>();
    for (const [value, prompt] of Object.entries(prompts)) {
      const { ids, lostWords } = tokenizer.encode(prompt);
      const row = ids.data.join();
      const same = known.get(row);
      if (lostWords.length > 0)
        problems.push(`${attribute}, ${value}: beyond the token limit: ${shown(lostWords.join(" "))}`);
      else if (same !== undefined) problems.push(`${attribute}: ${same} and ${value} have the same prompt`);
      known.set(row, value);
    }
  }
  if (problems.length > 0)
    throw new CheckpointError(`prompts that cannot be distinguished\n${listed(problems)}`, { where });
}
