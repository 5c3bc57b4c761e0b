import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Chromium of this machine: Debian's, or that of BARET_CHROMIUM. Tests download no browser. */
export const chromiumPath = process.env.BARET_CHROMIUM ?? "/usr/bin/chromium";

/** The reason why tests in a browser are not run. Undefined if there is a browser. */
export const noBrowser: string | undefined = existsSync(chromiumPath)
  ? undefined
  : `skipped, there is no ${chromiumPath}: install Chromium or set BARET_CHROMIUM`;

const versions = "/usr/lib/postgresql";

/** Folder of the programs of Debian's newest Postgres. Undefined if there is none. */
export const postgresPrograms: string | undefined = existsSync(versions)
  ? join(versions, readdirSync(versions).sort().at(-1)!, "bin")
  : undefined;

/** The reason why tests with a Postgres server are not run. Undefined if there is one. */
export const noPostgres: string | undefined = postgresPrograms
  ? undefined
  : "skipped, there is no Postgres: install Debian's package postgresql";

/** Python of this machine, or that of BARET_PYTHON. */
export const python = process.env.BARET_PYTHON ?? "python3";

/** Returns the reason why tests with OpenAI's client for Python are not run. Undefined if there is one. Starts Python. */
export function noPythonClient(): string | undefined {
  const look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('openai') is None)";
  return spawnSync(python, ["-c", look]).status === 0
    ? undefined
    : `skipped, ${python} has no package openai: install it, or set BARET_PYTHON to another one`;
}

/** Title of tests with the reason why they are skipped, if there is one: `describe.skipIf(noBrowser)(titled("a page", noBrowser), …)`. */
export const titled = (title: string, reason: string | undefined): string => (reason ? `${title} (${reason})` : title);

/** The reason why tests that read the memory of processes are not run. Undefined on Linux. */
export const notLinux: string | undefined = process.platform === "linux" ? undefined : "skipped, this is not Linux";

/** Folder of Debian's chromium-common, which has a Vulkan driver that computes on the CPU (SwiftShader) and Vulkan's loader. */
const chromiumFolder = "/usr/lib/chromium";
const driver = join(chromiumFolder, "vk_swiftshader_icd.json");

/** Tests of WebGPU use this machine's own graphics card. */
export const ownGpu = process.env.BARET_WEBGPU === "gpu";

/** The reason why tests on WebGPU in Node are not run. Undefined if there is a driver. */
export const noVulkan: string | undefined =
  ownGpu || existsSync(driver) ? undefined : `skipped, there is no ${driver}: install Debian's package chromium-common`;

/** Variables with which a child process computes WebGPU on the CPU. None if the machine's own graphics card is used. */
export const softwareVulkan: Readonly<Record<string, string>> = ownGpu
  ? {}
  : {
      VK_ICD_FILENAMES: driver,
      LD_LIBRARY_PATH: [chromiumFolder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
    };
