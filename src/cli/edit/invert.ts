import { basename, extname } from "node:path";
import { Command } from "commander";
import { UsageError } from "../../core/index.ts";
import { inversionSettings, iterationsOf } from "../../inversion/index.ts";
import { samplingOf } from "../model.ts";
import { fileNamed, option } from "../options.ts";
import { checkOutputs } from "../output.ts";
import { settingLines, Voice } from "../print.ts";
import { oneLine } from "../printable.ts";
import { inversionOptionsOf, writtenInversion } from "./inversionOptions.ts";
import { fidelityJson } from "./report.ts";
import { isInversionFile } from "./sources.ts";
import { invertedTask, inWorkshop, type PhotoFlags, photoOptions } from "./workshop.ts";

interface Flags extends PhotoFlags {
  readonly out?: string;
}

async function run(command: Command, path: string, sentence: string, flags: Flags, voice: Voice): Promise<void> {
  if (isInversionFile(path)) throw new UsageError("a photo is expected", { found: `${path}, an inversion file` });
  const out = flags.out ?? `${basename(path, extname(path))}.inversion.safetensors`;
  await checkOutputs([{ option: "--out", path: out }], [path]);
  await inWorkshop(command, flags, { sources: [path], sentences: [sentence] }, voice, async (workshop) => {
    const { model, origin, tasks } = workshop;
    const [task] = tasks;
    const settings = inversionSettings(sentence, inversionOptionsOf(flags), model.editing);
    const { size } = samplingOf(flags, model);
    const written = { size, fit: flags.fit, ...writtenInversion(settings, sentence) };
    const { device, threads } = origin.engine;
    voice.detail(oneLine(`${path} (${task.photo?.remark}): ${sentence}`));
    voice.detail(settingLines(command, { model: origin.model.name, ...written, device, threads }));
    const { inversion, fidelity } = await invertedTask(task, flags, workshop, out);
    const iterations = iterationsOf(inversion).reduce((sum, n) => sum + n, 0);
    voice.result(`${out}  ${iterations} iterations`);
    voice.object({
      ...origin,
      photo: { path, sha256: inversion.origin.picture },
      sentence,
      file: out,
      fidelity: fidelityJson(fidelity),
      iterations,
      settings: written,
    });
  });
}

export function invertCommand(): Command {
  const command = new Command("invert")
    .description("invert a photo towards a sentence, once for any number of edits; goes on where it was stopped")
    .argument("<photo>", "PNG, JPEG or WebP")
    .argument("<sentence>", "what the edited photo is to show")
    .addOption(
      option("-o, --out <file>", "the inversion file, default PHOTO.inversion.safetensors", fileNamed(".safetensors")),
    );
  return photoOptions(command).action((photo: string, sentence: string, flags: Flags) =>
    run(command, photo, sentence, flags, new Voice(flags)),
  );
}
