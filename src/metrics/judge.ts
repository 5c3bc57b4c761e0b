import { z } from "zod";
import { CheckpointError, listed, type Picture, shown, type Tensor, type Work } from "../core/index.ts";
import { readConfig } from "../models/index.ts";
import type { Engine } from "../runtime/index.ts";
import { type Folder, openModelFolder, readJsonObject } from "../weights/index.ts";
import { Clip, type ClipOptions, cosine } from "./clip.ts";
import { openFolder } from "./clipParts.ts";

const ATTRIBUTES = "attributes.json";

/** attribute → value → the sentence that says it: what a judge can tell apart. */
export type AttributePrompts = Readonly<Record<string, Readonly<Record<string, string>>>>;

const schema = z.record(
  z.string().min(1),
  z
    .record(z.string().min(1), z.string().regex(/\S/, "expected a sentence"))
    .refine((prompts) => Object.keys(prompts).length > 1, "expected at least two values"),
);

/** What the judge sees in one picture. */
export interface Verdict {
  /** The likeliest value of every attribute, also of one that the picture cannot show. */
  readonly named: Readonly<Record<string, string>>;
  /** How likely each value is by the judge's own word: softmax of scaled cosines among an attribute's values. */
  readonly probabilities: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Names what pictures show, by training/judge.py's rule: per attribute, the prompt whose cosine with it is highest. */
export class Judge {
  readonly clip: Clip;
  readonly attributes: AttributePrompts;
  /** Embeddings of all prompts, one attribute after another. */
  private readonly said: Tensor;

  private constructor(clip: Clip, attributes: AttributePrompts, said: Tensor) {
    this.clip = clip;
    this.attributes = attributes;
    this.said = said;
  }

  /**
   * Loads a CLIPModel's folder that holds attributes.json too, as training/export.py writes it. Throws CheckpointError
   * where it is none, also where the model cannot tell two of its prompts apart.
   */
  static async load(engine: Engine, place: string | Folder, options: ClipOptions = {}): Promise<Judge> {
    const model = await openModelFolder(await openFolder(place));
    if (!(await model.folder.list()).some(({ name }) => name === ATTRIBUTES)) {
      throw new CheckpointError(`there is no ${ATTRIBUTES}`, {
        where: model.name,
        advice: "A judge, such as checkpoints/menagerie-judge, has one. Another CLIP model can score, but not name.",
      });
    }
    const source = await model.folder.open(ATTRIBUTES);
    const attributes = readAttributes(await readJsonObject(source), source.name);
    const clip = await Clip.open(engine, model, options);
    try {
      requireDistinct(attributes, clip, source.name);
      const prompts = Object.values(attributes).flatMap((values) => Object.values(values));
      return new Judge(clip, attributes, await clip.embedSentences(prompts, { signal: options.signal }));
    } catch (error) {
      await clip.release();
      throw error;
    }
  }

  /** What each picture shows. */
  async name(pictures: readonly Picture[], work: Work = {}): Promise<Verdict[]> {
    const seen = await this.clip.embedPictures(pictures, work);
    return pictures.map((_, i) => this.verdict(seen, i));
  }

  /** Frees the memory that it holds, its CLIP model's included. */
  release(): Promise<void> {
    return this.clip.release();
  }

  private verdict(seen: Tensor, picture: number): Verdict {
    const named: Record<string, string> = {};
    const probabilities: Record<string, Record<string, number>> = {};
    let prompt = 0;
    for (const [attribute, prompts] of Object.entries(this.attributes)) {
      const logits = Object.keys(prompts).map(
        (value) => [value, this.clip.scale * cosine(seen, picture, this.said, prompt++)] as const,
      );
      const [best, most] = logits.reduce((a, b) => (b[1] > a[1] ? b : a));
      const total = logits.reduce((sum, [, logit]) => sum + Math.exp(logit - most), 0);
      named[attribute] = best;
      probabilities[attribute] = Object.fromEntries(
        logits.map(([value, logit]) => [value, Math.exp(logit - most) / total]),
      );
    }
    return { named, probabilities };
  }
}

function readAttributes(json: unknown, where: string): AttributePrompts {
  const attributes = readConfig(schema, json, where, "It must hold {attribute: {value: sentence}}.");
  if (Object.keys(attributes).length === 0) {
    throw new CheckpointError("no attributes", { where, expected: "{attribute: {value: sentence}}" });
  }
  return attributes;
}

/** Prompts of one attribute that the tokenizer makes one row of, or cuts off, could not be told apart. */
function requireDistinct(attributes: AttributePrompts, { tokenizer }: Clip, where: string): void {
  const problems: string[] = [];
  for (const [attribute, prompts] of Object.entries(attributes)) {
    const known = new Map<string, string>();
    for (const [value, prompt] of Object.entries(prompts)) {
      const { ids, lostWords } = tokenizer.encode(prompt);
      const row = ids.data.join();
      const same = known.get(row);
      if (lostWords.length > 0) problems.push(`${attribute}, ${value}: no room for ${shown(lostWords.join(" "))}`);
      else if (same !== undefined) problems.push(`${attribute}: ${same} and ${value} have the same sentence`);
      known.set(row, value);
    }
  }
  if (problems.length > 0) throw new CheckpointError(`prompts that cannot be judged\n${listed(problems)}`, { where });
}
