import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { formatBytes, UsageError } from "../core/index.ts";
import {
  type CudaInstall,
  type CudaPlan,
  installCuda,
  nvidiaLicence,
  oldestDriver,
  pipCommand,
  planCuda,
  removeCuda,
  removeUnfinished,
} from "../runtime/node/index.ts";
import { packageIndex } from "../storage/node/index.ts";
import { withProgress } from "./interrupt.ts";
import { jsonOption, nonEmpty, option, quietOption } from "./options.ts";
import { columns, note, print, printJson } from "./print.ts";

interface InstallFlags {
  readonly from?: string;
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly acceptLicence?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const help = `
The libraries are onnxruntime's CUDA provider (package onnxruntime-gpu, MIT licence) and those of NVIDIA's CUDA 13 and
cuDNN 9 that it uses, which are proprietary. They lie in baret's cache. Only baret's own processes use them, so nothing of
the system changes, and no superuser is needed. NVIDIA's driver ${oldestDriver} or newer must be installed besides.

A stopped installation resumes when the same command runs again. Without network, --dry-run names the packages and a command
that downloads them elsewhere; then: baret cuda install --from FOLDER

Environment:
  PIP_INDEX_URL  address of another index of Python packages, such as a mirror
  BARET_CACHE    folder of the cache`;

/** Describes a plan before it is carried out. */
function planText({ onnxruntime, commit, folder, packages, wheels, download, unpacked }: CudaPlan): string {
  const rows = packages.map(({ package: name, file, bytes, unpacked: size }) => [
    `  ${name}`,
    file.split("-")[1],
    wheels.has(name) ? wheels.get(name)! : formatBytes(bytes),
    formatBytes(size),
  ]);
  const from = wheels.size > 0 ? "nothing to download" : `${formatBytes(download)} to download from ${packageIndex()}`;
  return `CUDA libraries for onnxruntime ${onnxruntime} (commit ${commit}): ${from}, ${formatBytes(unpacked)} in ${folder}
${columns([["  package", "version", wheels.size > 0 ? "wheel" : "download", "installed"], ...rows])}`;
}

/** Throws UsageError unless the user accepts NVIDIA's licences: by the flag, or at a terminal. */
async function requireLicence({ packages }: CudaPlan, { acceptLicence }: InstallFlags): Promise<void> {
  const proprietary = packages.filter(({ package: name }) => name.startsWith("nvidia-"));
  if (acceptLicence || proprietary.length === 0) return;
  note(`${proprietary.map(({ package: name }) => name).join(", ")} are under ${nvidiaLicence}.
Their texts: https://docs.nvidia.com/cuda/eula and https://docs.nvidia.com/deeplearning/cudnn/latest/reference/eula.html; a copy is installed beside the libraries.`);
  if (process.stdin.isTTY && process.stderr.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question("Do you accept them? [y/N] ").finally(() => terminal.close());
    if (/^y(es)?$/i.test(answer.trim())) return;
  }
  throw new UsageError("NVIDIA's licences were not accepted", {
    advice: "Read them, and add --accept-licence if you accept them.",
  });
}

const planJson = ({ wheels, packages, ...plan }: CudaPlan) => ({
  ...plan,
  packages: packages.map((one) => ({ ...one, wheel: wheels.get(one.package) })),
  command: pipCommand(packages),
});

async function install(flags: InstallFlags): Promise<void> {
  const { from, to, dryRun, json = false, quiet = false } = flags;
  const plan = await planCuda({ from, to });
  if (dryRun && json) return printJson(planJson(plan));
  if (dryRun) {
    print(planText(plan));
    if (plan.installed) return print("They are installed already.");
    return print(`To download the wheels on another machine:\n  ${pipCommand(plan.packages)}`);
  }
  if (!plan.installed) {
    if (!quiet) note(planText(plan));
    await requireLicence(plan, flags);
  }
  const installed = await withProgress(quiet, (work) => installCuda(plan, work));
  if (json) return printJson(installed);
  print(installedText(installed, plan));
}

function installedText({ folder, packages }: CudaInstall, { installed }: CudaPlan): string {
  const done = installed ? "are installed already" : "are installed";
  return `CUDA's libraries ${done}: ${packages.length} packages in ${folder}
Check the device with: baret doctor --device cuda`;
}

async function remove({ json }: InstallFlags): Promise<void> {
  const removed = await removeCuda();
  await removeUnfinished();
  if (json) return printJson({ removed: removed ?? null });
  print(removed ? `CUDA's libraries are removed from ${removed.folder}` : "No CUDA libraries are installed.");
}

/** `baret cuda`: the libraries for the device "cuda". */
export function cudaCommand(): Command {
  const command = new Command("cuda");
  command
    .command("install")
    .description("install the CUDA libraries that fit this onnxruntime, without a superuser (Linux)")
    .addOption(option("--from <path>", "a folder of wheels, or one wheel, instead of a download", nonEmpty("a path")))
    .addOption(option("--to <folder>", "folder of the libraries, default in the cache", nonEmpty("a folder")))
    .option("--dry-run", "print what would be installed, and a command that downloads it, and change nothing")
    .option("--accept-licence", "accept the licences of NVIDIA's libraries")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText("after", help)
    .action(install);
  command
    .command("remove")
    .description("remove the installed CUDA libraries and unfinished downloads")
    .addOption(jsonOption())
    .action(remove);
  return command;
}
