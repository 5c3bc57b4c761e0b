import { Command } from "commander";
import { UsageError, type Work } from "../core/index.ts";
import { type Generated, generate, type Model, requirePictures } from "../diffusion/index.ts";
import { checkWritable } from "../storage/node.ts";
import { working } from "./interrupt.ts";
import { likeOption, repeat, warnOfOtherModel } from "./like.ts";
import { type ModelFlags, modelOptions, type Origin, originOf, samplingOf, withModel } from "./model.ts";
import { anyText, integer, option, repeatable } from "./options.ts";
import { type Metadata, numbered, outOption, writePicture } from "./output.ts";
import { lostWordsWarning, settingLines, Voice } from "./print.ts";

interface GenerateFlags extends ModelFlags {
  readonly out: string;
  readonly count: number;
  readonly negative: string;
  readonly like?: string;
}

interface Written extends Pick<Generated, "seed" | "lostWords"> {
  readonly path: string;
  readonly sentence: string;
}

/** Settings of one picture. */
const settingsOf = (flags: GenerateFlags, model: Model) => ({
  ...samplingOf(flags, model),
  negative: flags.negative,
  seed: flags.seed,
});

/** Makes the pictures of a list of sentences and writes each as soon as it is finished. */
async function makePictures(
  wanted: readonly string[],
  { out }: GenerateFlags,
  settings: ReturnType<typeof settingsOf>,
  { model, origin, voice }: { model: Model; origin: Origin; voice: Voice },
  work: Work,
): Promise<Written[]> {
  const written: Written[] = [];
  const write = async ({ picture, seed, lostWords, lostNegative }: Generated, k: number): Promise<void> => {
    const sentence = wanted[k];
    const path = numbered(out, k, wanted.length);
    await writePicture(path, picture, { ...origin, settings: { sentence, ...settings, seed } });
    if (lostWords.length > 0) voice.warn(lostWordsWarning(sentence, lostWords));
    if (lostNegative.length > 0) voice.warn(lostWordsWarning(settings.negative, lostNegative));
    voice.result(`${path}  seed ${seed}`);
    written.push({ path, sentence, seed, lostWords });
  };
  await generate(model, wanted, settings, { ...work, onPicture: write });
  return written;
}

async function run(command: Command, given: string[], voice: Voice): Promise<void> {
  const { like } = command.opts<GenerateFlags>();
  const made: Metadata | undefined = like === undefined ? undefined : await repeat(command, like, voice);
  const flags = command.opts<GenerateFlags>();
  const repeated = typeof made?.settings.sentence === "string" ? [made.settings.sentence] : [];
  const sentences = given.length > 0 ? given : repeated;
  if (sentences.length === 0) throw new UsageError("a sentence is missing");
  requirePictures(sentences.length * flags.count);
  const wanted = sentences.flatMap((sentence) => Array<string>(flags.count).fill(sentence));
  await checkWritable(numbered(flags.out, 0, wanted.length));
  await working(flags.quiet ?? false, (work) =>
    withModel(flags, work, async (model) => {
      for (const { message } of model.warnings) voice.warn(message);
      const settings = settingsOf(flags, model);
      const { device, threads } = model.engine;
      voice.detail(settingLines(command, { model: flags.model, ...settings, device, threads }));
      const origin = await originOf("generate", flags, model, work);
      warnOfOtherModel(made, origin.model.sha256, `${like}`, voice);
      const pictures = await makePictures(wanted, flags, settings, { model, origin, voice }, work);
      voice.object({ ...origin, settings, pictures });
    }),
  );
}

export function generateCommand(): Command {
  const command = new Command("generate")
    .description("make pictures of sentences, from noise")
    .argument("[sentence...]", "what the pictures show")
    .addOption(option("--count <n>", "pictures of each sentence", integer(1, 10_000)).default(1))
    .addOption(likeOption())
    .addOption(outOption("out.png"));
  repeatable(command, (made) =>
    made.addOption(option("--negative <sentence>", "what the pictures should not show", anyText).default("")),
  );
  return modelOptions(command).action((sentences: string[], flags: GenerateFlags) =>
    run(command, sentences, new Voice(flags)),
  );
}
