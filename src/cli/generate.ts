import { Command } from "commander";
import { z } from "zod";
import { option as declared, optionsOf, UsageError, type Work } from "../core/index.ts";
import { type Generated, generate, type Model, promptWarnings, requirePictures } from "../diffusion/index.ts";
import { samplingOptions } from "../editing/index.ts";
import { checkWritable } from "../storage/node/index.ts";
import type { EditRecord, Maker } from "../tasks/index.ts";
import { writePicture } from "../tasks/node/index.ts";
import { withProgress } from "./interrupt.ts";
import { applyLike, likeOption, warnOfOtherModel } from "./like.ts";
import { checkedOption } from "./methodOptions.ts";
import { type ModelFlags, makerOf, modelOptions, withModel } from "./model.ts";
import { integer, option, repeatable, withExamples } from "./options.ts";
import { numbered, outOption, qualityOption } from "./outputs.ts";
import { Reporter, settingLines } from "./print.ts";

/** Options of sampling. Those that are not given are the model's. */
const sampling = z.object({
  negative: declared(z.string(), {
    about: "negative prompt: what the pictures should not show",
    value: "<prompt>",
    unset: "none",
  }).optional(),
  steps: samplingOptions.steps.optional(),
  guidance: samplingOptions.guidance.optional(),
  seed: samplingOptions.seed,
});

interface GenerateFlags extends ModelFlags, Partial<z.output<typeof sampling>> {
  readonly out: string;
  readonly quality?: number;
  readonly count: number;
  readonly like?: string;
}

interface Written extends Pick<Generated, "seed" | "lostWords"> {
  readonly path: string;
  readonly prompt: string;
}

/** Returns the settings of the pictures: given values, else the model's. Throws UsageError if the model cannot make the size. */
function settingsOf(flags: GenerateFlags, model: Model) {
  const { steps = model.editing.steps, guidance = model.editing.guidance, negative = "", seed } = sampling.parse(flags);
  return { size: model.workingSize(flags.size), steps, guidance, negative, seed };
}

/** Generates a picture for each prompt and writes each one as soon as it is finished. */
async function makePictures(
  prompts: readonly string[],
  { out, quality }: GenerateFlags,
  settings: ReturnType<typeof settingsOf>,
  { model, maker, reporter }: { model: Model; maker: Maker; reporter: Reporter },
  work: Work,
): Promise<Written[]> {
  const written: Written[] = [];
  const write = async ({ picture, seed, lostWords }: Generated, k: number): Promise<void> => {
    const prompt = prompts[k];
    const path = numbered(out, k, prompts.length);
    await writePicture(
      path,
      picture,
      { command: "generate", ...maker, settings: { prompt, ...settings, seed } },
      { quality },
    );
    reporter.result(`${path}  seed ${seed}`);
    written.push({ path, prompt, seed, lostWords });
  };
  await generate(model, prompts, settings, { ...work, onPicture: write });
  return written;
}

async function run(command: Command, given: string[], reporter: Reporter): Promise<void> {
  const { like } = command.opts<GenerateFlags>();
  const made: EditRecord | undefined = like === undefined ? undefined : await applyLike(command, like, reporter);
  const flags = command.opts<GenerateFlags>();
  const repeated = typeof made?.settings.prompt === "string" ? [made.settings.prompt] : [];
  const prompts = given.length > 0 ? given : repeated;
  if (prompts.length === 0)
    throw new UsageError("a prompt is missing", { expected: "what the picture shows, in quotes" });
  requirePictures(prompts.length * flags.count);
  const wanted = prompts.flatMap((prompt) => Array<string>(flags.count).fill(prompt));
  await checkWritable(numbered(flags.out, 0, wanted.length));
  await withProgress(flags.quiet ?? false, (work) =>
    withModel(flags, work, async (model) => {
      const settings = settingsOf(flags, model);
      const warnings = [...model.warnings, ...promptWarnings(model, [...prompts, settings.negative])];
      for (const { message } of warnings) reporter.warn(message);
      const { device, threads, precision, linear } = model.engine;
      reporter.info(settingLines(command, { model: flags.model, ...settings, device, threads, precision, linear }));
      const maker = await makerOf(flags, model, work);
      warnOfOtherModel(made, maker.model.sha256, `${like}`, reporter);
      const pictures = await makePictures(wanted, flags, settings, { model, maker, reporter }, work);
      // More may have come up; none is printed twice.
      for (const { message } of model.warnings) reporter.warn(message);
      reporter.object({ command: "generate", ...maker, settings, pictures });
    }),
  );
}

export function generateCommand(): Command {
  const command = new Command("generate")
    .argument("[prompt...]", "what the pictures show")
    .addOption(option("--count <n>", "number of pictures for each prompt", integer(1, 10_000)).default(1))
    .addOption(likeOption())
    .addOption(outOption("out.png", true))
    .addOption(qualityOption());
  repeatable(command, (made) =>
    optionsOf(sampling).reduce((all, one) => all.addOption(checkedOption(one)), made.optionsGroup("Sampling:")),
  );
  withExamples(
    command,
    'baret generate "a brown dog on the grass" -o dog.png',
    'baret generate "a cat" "a bird" --count 4 --seed 1',
    'baret generate "a castle at night" --model sd1.5 --steps 30',
  );
  return modelOptions(command).action((prompts: string[], flags: GenerateFlags) =>
    run(command, prompts, new Reporter(flags)),
  );
}
