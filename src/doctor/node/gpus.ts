import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { oldestCapability, oldestDriver } from "../../runtime/node/index.ts";
import type { DoctorReport, GpuFacts } from "../report.ts";

const readText = (...path: string[]): string | undefined => {
  try {
    return readFileSync(join(...path), "utf8");
  } catch {
    return undefined;
  }
};

const namesIn = (...path: string[]): string[] => {
  try {
    return readdirSync(join(...path)).sort();
  } catch {
    return [];
  }
};

/** Vendors of PCI devices. */
const vendors: Readonly<Record<string, string>> = {
  "0x1002": "AMD",
  "0x10de": "NVIDIA",
  "0x1234": "QEMU's",
  "0x1414": "Microsoft's virtual",
  "0x15ad": "VMware's virtual",
  "0x1af4": "virtio",
  "0x8086": "Intel",
};

export const isWsl = (root = "/"): boolean => /microsoft/i.test(readText(root, "proc/version") ?? "");

/** Graphics cards that the kernel drives, from /sys/class/drm. */
function drmCards(root: string): GpuFacts[] {
  return namesIn(root, "sys/class/drm")
    .filter((name) => /^card\d+$/.test(name))
    .flatMap((card) => {
      const device = join(root, "sys/class/drm", card, "device");
      const vendor = readText(device, "vendor")?.trim();
      if (vendor === undefined) return [];
      let driver: string | undefined;
      try {
        driver = basename(readlinkSync(join(device, "driver")));
      } catch {
        // It has no driver.
      }
      const name =
        `${vendors[vendor] ?? `vendor ${vendor}`} graphics card ${readText(device, "device")?.trim() ?? ""}`.trim();
      return [{ name, ...(driver && { driver }) }];
    });
}

/** Version of NVIDIA's kernel driver, such as "580.65.06". */
const nvidiaDriver = (root: string): string | undefined =>
  /Kernel Module\D*?(?:for \S+\s+)?(\d+\.[\d.]+)/.exec(readText(root, "proc/driver/nvidia/version") ?? "")?.[1];

/** NVIDIA's GPUs as their kernel driver lists them. */
const procCards = (root: string): GpuFacts[] =>
  namesIn(root, "proc/driver/nvidia/gpus").map((address) => {
    const text = readText(root, "proc/driver/nvidia/gpus", address, "information") ?? "";
    const name = /^Model:\s*(.+)$/m.exec(text)?.[1].trim() ?? `NVIDIA GPU at ${address}`;
    const driverVersion = nvidiaDriver(root);
    return { name, driver: "nvidia", ...(driverVersion && { driverVersion }) };
  });

const query = ["--query-gpu=name,driver_version,compute_cap,memory.total", "--format=csv,noheader,nounits"];

/** Reads a table of nvidia-smi: name, version of the driver, compute capability, memory in MiB. */
export function parseSmi(table: string): GpuFacts[] {
  return table
    .trim()
    .split("\n")
    .map((line) => line.split(",").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 4 && cells[0] !== "")
    .map(([name, driverVersion, capability, megabytes]) => ({
      name,
      driver: "nvidia",
      driverVersion,
      ...(Number(capability) > 0 && { capability: Number(capability) }),
      ...(Number(megabytes) > 0 && { memory: Number(megabytes) * 2 ** 20 }),
    }));
}

/** NVIDIA's GPUs as nvidia-smi lists them. Empty if that is missing, fails or takes more than 10 s. */
async function smiCards(): Promise<GpuFacts[]> {
  try {
    const { stdout } = await promisify(execFile)("nvidia-smi", query, { timeout: 10_000, windowsHide: true });
    return parseSmi(stdout);
  } catch {
    return [];
  }
}

/** Returns the kernel's devices of graphics cards that this user may not open. */
function closedDevices(root: string): string[] {
  const paths = [
    ...namesIn(root, "dev/dri")
      .filter((name) => name.startsWith("renderD"))
      .map((name) => join("dev/dri", name)),
    ...["dev/nvidia0", "dev/nvidiactl", "dev/dxg"].filter((path) => existsSync(join(root, path))),
  ];
  return paths.filter((path) => {
    try {
      accessSync(join(root, path), constants.R_OK | constants.W_OK);
      return false;
    } catch {
      return true;
    }
  });
}

/** Returns the drivers of Vulkan: those that the environment names, otherwise those of the system's folders. */
export function vulkanDrivers(root = "/", env: NodeJS.ProcessEnv = process.env): DoctorReport["vulkan"] {
  const named = (env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES)?.split(":").filter(Boolean);
  const folders = ["etc/vulkan/icd.d", "usr/local/share/vulkan/icd.d", "usr/share/vulkan/icd.d"];
  const files =
    named ??
    folders.flatMap((folder) =>
      namesIn(root, folder)
        .filter((name) => name.endsWith(".json"))
        .map((name) => join(root, folder, name)),
    );
  return files.flatMap((file) => {
    try {
      const { ICD } = JSON.parse(readFileSync(file, "utf8")) as {
        ICD?: { library_path?: string; api_version?: string };
      };
      return ICD?.library_path === undefined
        ? []
        : [{ file, library: ICD.library_path, ...(ICD.api_version && { version: ICD.api_version }) }];
    } catch {
      return [];
    }
  });
}

/** Reads what the files of NVIDIA's driver and of the kernel tell about graphics cards. root: "/", or a copy of the files of a system. */
export async function gpuFacts(root = "/"): Promise<{ gpus: GpuFacts[]; problems: string[] }> {
  const smi = root === "/" ? await smiCards() : [];
  const nvidia = smi.length > 0 ? smi : procCards(root);
  const others = drmCards(root).filter(({ name }) => nvidia.length === 0 || !name.startsWith("NVIDIA"));
  return {
    gpus: [...nvidia, ...others],
    problems: [...closedDevices(root).map(closedText), ...nvidia.flatMap(tooOld)],
  };
}

const closedText = (path: string): string =>
  `/${path} cannot be opened by this user. Add the user to the groups video and render: sudo usermod -aG video,render $USER, then log in again.`;

function tooOld({ name, driverVersion, capability }: GpuFacts): string[] {
  return [
    ...(driverVersion && Number.parseInt(driverVersion, 10) < oldestDriver
      ? [`${name}: its driver ${driverVersion} is too old for the device cuda. Install ${oldestDriver} or newer.`]
      : []),
    ...(capability !== undefined && capability < oldestCapability
      ? [
          `${name}: its compute capability ${capability} is too old for the device cuda, which needs ${oldestCapability}.`,
        ]
      : []),
  ];
}
