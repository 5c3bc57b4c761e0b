import { basename, extname } from "node:path";
import { Command } from "commander";
import { UsageError } from "../../core/index.ts";
import { prepareTask } from "../../tasks/index.ts";
import { fileNamed, option, withExamples } from "../options.ts";
import { checkOutputs } from "../outputs.ts";
import { Reporter } from "../print.ts";
import { isPreparedFile, requirePhotoFirst } from "./sources.ts";
import { type PhotoFlags, photoOptions, qualityJson, runTask, savedIn, withTasks } from "./tasks.ts";

interface Flags extends PhotoFlags {
  readonly out?: string;
}

async function run(command: Command, path: string, prompt: string, flags: Flags, reporter: Reporter): Promise<void> {
  requirePhotoFirst([path, prompt]);
  if (isPreparedFile(path)) throw new UsageError("a photo is expected", { found: `${path}, a prepared photo` });
  const file = flags.out ?? `${basename(path, extname(path))}.inversion.safetensors`;
  await checkOutputs([{ option: "--out", path: file }], [path]);
  await withTasks(command, flags, { sources: [path], prompts: [prompt] }, async ({ tasks, maker, work }) => {
    const task = { ...savedIn(tasks[0], file), maker };
    const events = prepareTask(task, { signal: work.signal });
    const { record, quality, iterations, estimate } = await runTask(task, events, work, reporter);
    reporter.result(`${file}${iterations === undefined ? "" : `  ${iterations} iterations`}`);
    reporter.object({ ...record, prompt, file, quality: qualityJson(quality), iterations, estimate });
  });
}

export function invertCommand(): Command {
  const command = new Command("invert")
    .argument("<photo>", "PNG, JPEG, WebP, TIFF, AVIF or GIF")
    .argument("<prompt>", "what the edited photo will show")
    .addOption(
      option("-o, --out <file>", "file to write, default PHOTO.inversion.safetensors", fileNamed(".safetensors")),
    );
  withExamples(
    command,
    'baret invert dog.png "a dog lying down"',
    "baret edit dog.inversion.safetensors --alpha 1 -o rigid.png",
    'baret invert dog.png "a dog lying down" --preset fast -o dog.safetensors',
  );
  return photoOptions(command, ["prepare"]).action((photo: string, prompt: string, flags: Flags) =>
    run(command, photo, prompt, flags, new Reporter(flags)),
  );
}
