import { Command, Option } from "commander";
import { type AttentionMaps, observedPicture, type Place, requireAttention } from "../../editing/index.ts";
import { attentionSheet, attentionTask, planEdit } from "../../tasks/index.ts";
import { writePicture } from "../../tasks/node/index.ts";
import { chosenMethod, filesIn, givenValues } from "../methodOptions.ts";
import { anyText, integer, option, withExamples } from "../options.ts";
import { checkOutputs, outOption, qualityOption } from "../outputs.ts";
import { columns, Reporter } from "../print.ts";
import { singleArguments } from "./sources.ts";
import { type OpenedTasks, type PhotoFlags, photoOptions, qualityJson, runTask, withTasks } from "./tasks.ts";

interface Flags extends PhotoFlags {
  readonly out: string;
  readonly quality?: number;
  readonly word?: readonly string[];
  readonly of?: string;
  readonly resolution?: number;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const placeText = ({ x, y }: Place): string => `${x.toFixed(2)}, ${y.toFixed(2)}`;

/** Returns a table with the figures of each word. */
const wordLines = ({ words }: AttentionMaps): string =>
  columns([
    ["word", "tokens", "average", "highest", "centre (x, y)", "highest at"],
    ...words.map(({ word, tokens, mean, max, centre, peak }) => [
      word,
      tokens.join(" "),
      percent(mean),
      percent(max),
      placeText(centre),
      placeText(peak),
    ]),
  ]);

/** Returns the figures of each word for JSON. The maps themselves are in the picture only. */
const wordsJson = ({ words }: AttentionMaps): object[] =>
  words.map(({ word, tokens, mean, max, centre, peak }) => ({ word, tokens, mean, max, centre, peak }));

async function makeMaps(command: Command, flags: Flags, opened: OpenedTasks, reporter: Reporter): Promise<void> {
  const { out, word: words, resolution, quiet, quality: jpegQuality } = flags;
  const { method, model, maker, work } = opened;
  const task = await planEdit(opened.tasks[0], maker, givenValues(command, method, "edit"));
  const { plan, photo } = task;
  const of = observedPicture(method, flags.of);
  const selection = { of, words, resolution };
  requireAttention(method, model, plan, selection);
  const events = attentionTask(task, selection, { signal: work.signal });
  const { record, quality, attention, estimate } = await runTask(task, events, work, reporter);
  const maps = attention!;
  const label = `${task.source}\n${method.name}, ${of}`;
  const sheet = attentionSheet(maps, { photo: of === method.photoPicture ? photo?.picture : undefined, label });
  await writePicture(out, sheet, record, { quality: jpegQuality });
  if (!quiet) reporter.info(wordLines(maps));
  const { prompt, steps, rows } = maps;
  const facts = { of, prompt, steps, rows, words: wordsJson(maps) };
  reporter.result(`${out}  attention of ${of}, by ${method.name}: ${prompt}`);
  reporter.object({ ...record, ...facts, file: out, quality: qualityJson(quality), estimate });
}

async function run(command: Command, given: readonly string[], flags: Flags, reporter: Reporter): Promise<void> {
  const named = singleArguments(given, "attention", reporter);
  const method = chosenMethod(command);
  const inputs = [...named.sources, ...filesIn(method, givenValues(command, method, "edit"))];
  await checkOutputs([{ option: "--out", path: flags.out }], inputs);
  const use = (opened: OpenedTasks): Promise<void> => makeMaps(command, flags, opened, reporter);
  await withTasks(command, flags, named, use);
}

/** Returns an option that may be given several times, each time with several words. */
const wordOption = (): Option =>
  new Option("--word <words>", "words of the prompt, separated by commas, default all of them").argParser(
    (text: string, before: readonly string[] = []) => [...before, ...text.split(",").map((word) => word.trim())],
  );

export function attentionCommand(): Command {
  const command = new Command("attention")
    .description(
      "show which places of a photo, or of its edit, attend to the words of a prompt: heat maps, averaged over steps, " +
        "heads and cross-attention layers",
    )
    .argument("<photo-then-prompt...>", "a photo and a prompt, or a prepared photo")
    .addOption(wordOption())
    .addOption(
      option(
        "--of <picture>",
        "picture to observe (baret methods lists them), default the one that reproduces the photo",
        anyText,
      ),
    )
    .addOption(
      option("--resolution <n>", "finest attention maps to use, in tokens a side, default 32", integer(1, 1024)),
    )
    .addOption(outOption("attention.png", false))
    .addOption(qualityOption());
  withExamples(
    command,
    'baret attention dog.png "a dog lying down" --word dog -o map.png',
    'baret attention dog.png "a dog lying down" --of edit --word dog,lying -o edit.png',
    'baret attention dog.png "a dog lying down" --method plain',
  );
  return photoOptions(command, ["prepare", "edit"]).action((given: string[], flags: Flags) =>
    run(command, given, flags, new Reporter(flags)),
  );
}
