import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { gpuFacts, isWsl, parseSmi, vulkanDrivers } from "../../src/doctor/node/gpus.ts";
import { temporaryFolder } from "../support/files.ts";

const path = temporaryFolder();

/** Makes a copy of some files of a system. Returns its root. */
function system(name: string, files: Record<string, string>): string {
  const root = path(name);
  mkdirSync(root);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}

// The texts of NVIDIA's driver and of nvidia-smi are as its documentation shows them: no such machine was at hand.
const proprietary =
  "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: 12\n";
const open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder)\n";

test.each([
  ["the proprietary module", proprietary, "550.54.15", ["NVIDIA GeForce RTX 3060: its driver 550.54.15 is too old"]],
  ["the open module", open, "580.65.06", []],
])("an NVIDIA GPU is found in the files of its driver: %s", async (name, version, driverVersion, told) => {
  const root = system(name, {
    "proc/driver/nvidia/version": version,
    "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ:   \t\t 55\n",
  });
  const { gpus, problems } = await gpuFacts(root);
  expect(gpus).toEqual([{ name: "NVIDIA GeForce RTX 3060", driver: "nvidia", driverVersion }]);
  expect(problems).toEqual(told.map((text) => expect.stringContaining(text)));
});

test("graphics cards that the kernel drives are found, with and without a driver", async () => {
  const root = system("drm", {
    "sys/class/drm/card0/device/vendor": "0x1002\n",
    "sys/class/drm/card0/device/device": "0x744c\n",
    "sys/class/drm/card1/device/vendor": "0x9999\n",
    "sys/class/drm/card0-HDMI-A-1/status": "connected\n",
    "sys/class/drm/version": "drm 1.1.0\n",
  });
  mkdirSync(join(root, "sys/bus/pci/drivers/amdgpu"), { recursive: true });
  symlinkSync(join(root, "sys/bus/pci/drivers/amdgpu"), join(root, "sys/class/drm/card0/device/driver"));
  expect((await gpuFacts(root)).gpus).toEqual([
    { name: "AMD graphics card 0x744c", driver: "amdgpu" },
    { name: "vendor 0x9999 graphics card" },
  ]);
});

test("a system without any of these files has no graphics card and no problem", async () => {
  const root = system("empty", {});
  expect(await gpuFacts(root)).toEqual({ gpus: [], problems: [] });
  expect(vulkanDrivers(root, {})).toEqual([]);
  expect(isWsl(root)).toBe(false);
});

test("nvidia-smi's table is read, and cells that it does not know are left out", () => {
  expect(parseSmi("NVIDIA H100 80GB HBM3, 580.65.06, 9.0, 81559\nTesla K80, 470.1, [N/A], [N/A]\n")).toEqual([
    {
      name: "NVIDIA H100 80GB HBM3",
      driver: "nvidia",
      driverVersion: "580.65.06",
      capability: 9,
      memory: 81559 * 2 ** 20,
    },
    { name: "Tesla K80", driver: "nvidia", driverVersion: "470.1" },
  ]);
  expect(parseSmi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")).toEqual([]);
});

test("Vulkan's drivers are those of the environment, otherwise those of the system, without damaged files", () => {
  const root = system("vulkan", {
    "usr/share/vulkan/icd.d/radeon_icd.x86_64.json":
      '{"ICD": {"library_path": "libvulkan_radeon.so", "api_version": "1.3.230"}}',
    "etc/vulkan/icd.d/broken.json": "{",
    "etc/vulkan/icd.d/strange.json": "[]",
  });
  expect(vulkanDrivers(root, {})).toEqual([
    {
      file: join(root, "usr/share/vulkan/icd.d/radeon_icd.x86_64.json"),
      library: "libvulkan_radeon.so",
      version: "1.3.230",
    },
  ]);
  const own = join(root, "usr/share/vulkan/icd.d/radeon_icd.x86_64.json");
  expect(vulkanDrivers("/", { VK_ICD_FILENAMES: `/missing.json:${own}` }).map(({ file }) => file)).toEqual([own]);
});

test("WSL is told from the kernel's version", () => {
  const version = "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@x)";
  expect(isWsl(system("wsl", { "proc/version": version }))).toBe(true);
});
