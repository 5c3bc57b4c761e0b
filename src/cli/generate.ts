import { Command } from "commander";
import type { Work } from "../core/index.ts";
import { type Generated, generate, type Model } from "../diffusion/index.ts";
import { checkWritable } from "../storage/node.ts";
import { working } from "./interrupt.ts";
import { type ModelFlags, modelOptions, originOf, samplingOf, withModel } from "./model.ts";
import { integer, option } from "./options.ts";
import { numbered, outOption, writePicture } from "./output.ts";
import { lostWordsWarning, note, print, printJson, settingLines } from "./print.ts";

interface GenerateFlags extends ModelFlags {
  readonly out: string;
  readonly count: number;
  readonly negative: string;
}

interface Written extends Pick<Generated, "seed" | "lostWords"> {
  readonly path: string;
  readonly sentence: string;
}

/**
 * Pictures that are computed together, and so are lost together when the work is stopped. A batch of a large model is
 * no faster than its pictures one by one.
 */
const together = ({ checkpoint }: Model): number =>
  [...checkpoint.unet.weights.values()].reduce((bytes, { length }) => bytes + length, 0) > 400e6 ? 1 : 8;

/** Makes and writes the pictures; `written` grows as they are finished. */
async function makePictures(
  sentences: readonly string[],
  flags: GenerateFlags,
  model: Model,
  written: Written[],
  { onProgress, signal }: Required<Work>,
): Promise<object> {
  const { negative, seed, count, out } = flags;
  const settings = { negative, seed, ...samplingOf(flags, model) };
  const { steps } = settings;
  model.latentShape(settings.size);
  if (!flags.quiet && !flags.json) print(settingLines({ model: flags.model, ...settings, ...engineOf(model) }));
  const origin = await originOf("generate", flags, model, { onProgress, signal });
  const wanted = sentences.flatMap((sentence) => Array<string>(count).fill(sentence));
  const size = together(model);
  for (let from = 0; from < wanted.length; from += size) {
    const batch = wanted.slice(from, from + size);
    const tell: Work["onProgress"] = (progress) => {
      const own = progress.phase === "generate";
      const total = Math.ceil(wanted.length / size) * steps;
      onProgress(own ? { ...progress, done: (from / size) * steps + progress.done, total } : progress);
    };
    const made = await generate(model, batch, { ...settings, seed: seed + from }, { onProgress: tell, signal });
    for (const [k, picture] of made.entries()) {
      const path = numbered(out, from + k, wanted.length);
      const own = { ...settings, seed: picture.seed, sentence: batch[k] };
      await writePicture(path, picture.picture, { ...origin, settings: own });
      written.push({ path, sentence: batch[k], seed: picture.seed, lostWords: picture.lostWords });
    }
  }
  return { ...origin, settings: { ...settings, sentences, count } };
}

const engineOf = ({ engine: { device, threads } }: Model) => ({ device, threads });

export function generateCommand(): Command {
  const command = new Command("generate")
    .description("make pictures of sentences, from noise")
    .argument("<sentence...>", "what the pictures show")
    .addOption(option("--count <n>", "pictures of each sentence", integer(1, 10_000)).default(1))
    .option("--negative <sentence>", "what the pictures should not show", "")
    .addOption(outOption("out.png"));
  return modelOptions(command).action(async (sentences: string[], flags: GenerateFlags) => {
    await checkWritable(numbered(flags.out, 0, sentences.length * flags.count));
    const written: Written[] = [];
    let finished = false;
    try {
      const record = await working(flags.quiet ?? false, (work) =>
        withModel(flags, work, (model) => makePictures(sentences, flags, model, written, work)),
      );
      finished = true;
      if (flags.json) printJson({ ...record, pictures: written });
    } finally {
      for (const { sentence, lostWords } of new Map(written.map((w) => [w.sentence, w])).values()) {
        if (lostWords.length > 0) note(`Warning: ${lostWordsWarning(sentence, lostWords)}`);
      }
      const say = flags.json ? note : print;
      if (!(flags.json && finished)) for (const { path, seed } of written) say(`${path}  seed ${seed}`);
    }
  });
}
