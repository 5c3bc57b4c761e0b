// `baret pull`: a Stable Diffusion model from the hub, or from a folder, into the cache.
// Knows of: storage.
// Does not know of: models, engines, other commands.
import { Command, type Option } from "commander";
import { formatBytes, UsageError } from "../../core/index.ts";
import { copyModel, hubAccess, type InstalledModel, pullModel, shortNames } from "../../storage/node/index.ts";
import { type Prediction, predictions } from "../../weights/index.ts";
import { working } from "../interrupt.ts";
import { choiceOption, jsonOption, option, quietOption } from "../options.ts";
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
  HF_ENDPOINT    another hub: a mirror or a proxy
  HF_TOKEN       access token, for models that are not open to all
  HTTPS_PROXY    a proxy, on Node 22.21, 24 and later, with NODE_USE_ENV_PROXY=1
  BARET_CACHE    where models are kept (in its folder models/)

What was fetched stays when the command is stopped, and is continued the next time.
Without a way to the hub: copy a diffusers folder, a model of a Hugging Face cache or a
.safetensors file here by hand, and: baret pull sd1.5 --from FOLDER`;

async function pull(name: string, { from, revision, variant, prediction, quiet }: PullFlags): Promise<InstalledModel> {
  if (from !== undefined && revision !== undefined) {
    throw new UsageError("a folder has no revisions", { where: "--revision", advice: "Leave it out with --from." });
  }
  if (from === undefined && prediction !== undefined) {
    throw new UsageError("a model of the hub says itself what it predicts", {
      where: "--prediction",
      advice: "It is for a single file that is given with --from.",
    });
  }
  return working(quiet ?? false, (work) =>
    from === undefined
      ? pullModel(name, { revision, variant, ...work })
      : copyModel(name, from, { variant, prediction, ...work }),
  );
}

/** The effective settings, then what came of them. */
function report(model: InstalledModel, from: string, short: string): string {
  const { name, commit, variant, files, bytes, moved, path } = model;
  const version = [commit && `commit ${commit.slice(0, 8)}`, variant].filter(Boolean).join(", ");
  const news = moved === 0 ? "it was there already" : `${formatBytes(moved)} of it came now`;
  return `${name}${version ? ` (${version})` : ""} from ${from}: ${files} files, ${formatBytes(bytes)}; ${news}
${path}
Use it with --model ${short}`;
}

/** An option that says something, if it is given. */
const named = (flags: string, about: string): Option =>
  option(flags, about, { expected: "a name", read: (text) => text || undefined });

export function pullCommand(): Command {
  return new Command("pull")
    .argument("<name>", "OWNER/NAME on the hub, or a short name")
    .addOption(named("--revision <name>", "branch, tag or commit; default: main"))
    .addOption(named("--variant <name>", "which weights, such as fp16; default: the plain ones, or the only ones"))
    .addOption(named("--from <path>", "install from a folder or a .safetensors file on this disk instead of the hub"))
    .addOption(choiceOption("--prediction <kind>", "of a single SD2.x file: what it predicts", predictions))
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText("after", help)
    .action(async (name: string, flags: PullFlags) => {
      const model = await pull(name, flags);
      if (flags.json) printJson(model);
      else print(report(model, flags.from ?? hubAccess().endpoint, name));
    });
}
