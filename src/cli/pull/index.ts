// `baret pull`: installs a Stable Diffusion model, or a CLIP model that scores edits, from the hub or from a folder.
// Knows of: storage, the check of CLIP models.
// Does not know of: engines, other commands.
import { Command } from "commander";
import { formatBytes, UsageError } from "../../core/index.ts";
import { nodePlatform } from "../../diffusion/node/index.ts";
import { Clip } from "../../metrics/index.ts";
import { copyModel, hubAccess, type InstalledModel, pullModel, shortNames } from "../../storage/node/index.ts";
import { type Folder, type Prediction, predictions } from "../../weights/index.ts";
import { withProgress } from "../interrupt.ts";
import { choiceOption, jsonOption, nonEmpty, option, quietOption, withExamples } from "../options.ts";
import { print, printJson } from "../print.ts";

interface PullFlags {
  revision?: string;
  variant?: string;
  from?: string;
  prediction?: Prediction;
  json?: boolean;
  quiet?: boolean;
}

const help = `
Short names:
${Object.entries(shortNames)
  .map(([short, full]) => `  ${short.padEnd(14)} ${full}`)
  .join("\n")}

Environment:
  HF_ENDPOINT    URL of another hub, such as a mirror
  HF_TOKEN       access token, for gated models
  HTTPS_PROXY    proxy; needs NODE_USE_ENV_PROXY=1 and Node 22.21, 24 or later
  BARET_CACHE    folder of the cache; models are in its folder models/

A stopped download resumes when the same command runs again.
If the hub cannot be reached, copy a diffusers folder, the folder of a CLIP model, a model of a
Hugging Face cache or a .safetensors file to this machine, then run: baret pull sd1.5 --from FOLDER

A CLIP model edits nothing, but helps to choose the strength of an edit and measures edits:
  baret pull clip
  baret edit photo.jpg "a dog lying down" --model sd1.5 --strength auto --scorer clip`;

async function pull(name: string, { from, revision, variant, prediction, quiet }: PullFlags): Promise<InstalledModel> {
  if (from !== undefined && revision !== undefined) {
    throw new UsageError("a folder has no revisions", {
      where: "--revision",
      advice: "Leave one of --from and --revision out.",
    });
  }
  if (from === undefined && prediction !== undefined) {
    throw new UsageError("models of the hub state their prediction type themselves", {
      where: "--prediction",
      advice: "Give this option only for a single file, with --from.",
    });
  }
  const { merges } = nodePlatform;
  const checkClip = (folder: Folder): Promise<void> => Clip.check(folder, { merges });
  return withProgress(quiet ?? false, (work) =>
    from === undefined
      ? pullModel(name, { revision, variant, checkClip, ...work })
      : copyModel(name, from, { variant, prediction, checkClip, ...work }),
  );
}

/** Describes an installed model. */
function summary(model: InstalledModel, from: string, short: string): string {
  const { name, kind, commit, variant, files, bytes, moved, path } = model;
  const version = [commit && `commit ${commit.slice(0, 8)}`, variant].filter(Boolean).join(", ");
  const added = moved === 0 ? "already installed" : `${formatBytes(moved)} transferred`;
  return `${name}${version ? ` (${version})` : ""} from ${from}: ${files} files, ${formatBytes(bytes)}; ${added}
${path}
Use it with ${kind === "CLIP" ? `baret edit --scorer ${short}, baret compare --clip ${short}` : `--model ${short}`}`;
}

export function pullCommand(): Command {
  const command = new Command("pull")
    .argument("<name>", "OWNER/NAME on the hub, or a short name")
    .addOption(
      option(
        "--revision <name>",
        "branch, tag or commit, default main; of clip, the commit that has safetensors",
        nonEmpty("a name"),
      ),
    )
    .addOption(
      option(
        "--variant <name>",
        "variant of the weights, such as fp16, default the plain or only ones",
        nonEmpty("a name"),
      ),
    )
    .addOption(
      option("--from <path>", "install from a folder or .safetensors file instead of the hub", nonEmpty("a path")),
    )
    .addOption(choiceOption("--prediction <type>", "prediction type of a single SD2.x file", predictions))
    .addOption(jsonOption())
    .addOption(quietOption());
  withExamples(
    command,
    "baret pull sd1.5",
    "baret pull OWNER/NAME --variant fp16",
    "baret pull sd1.5 --from stable-diffusion-v1-5.safetensors",
  );
  return command.addHelpText("after", help).action(async (name: string, flags: PullFlags) => {
    const model = await pull(name, flags);
    if (flags.json) printJson(model);
    else print(summary(model, flags.from ?? hubAccess().endpoint, name));
  });
}
