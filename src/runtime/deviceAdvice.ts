import type { Device } from "./engine.ts";

/** A reason that onnxruntime or the system's loader gives, and what a user can do about it. */
interface KnownReason {
  readonly says: RegExp;
  readonly advice: string;
}

const driver =
  "Install NVIDIA's driver 580 or newer, and check it with: nvidia-smi\n" +
  "In a container, start it with the GPU, as with: docker run --gpus all. In WSL, install the driver in Windows.";
const cudaLibraries = "Install the CUDA libraries that fit this onnxruntime with: baret cuda install";
const vulkanDriver =
  "Install the graphics card's Vulkan driver, and check it with: vulkaninfo --summary\n" +
  "On Debian and Ubuntu, for AMD and Intel: apt install libvulkan1 mesa-vulkan-drivers. For NVIDIA, its own driver has it.";
const reinstall = "Install baret's packages again, with npm ci for example.";

/** The first one that fits counts. The messages are onnxruntime 1.30's, Dawn's, CUDA's and glibc's. */
const reasons: readonly KnownReason[] = [
  { says: /libcuda\.so\.1: cannot open|libnvidia\S+: cannot open/, advice: driver },
  {
    says: /libonnxruntime_providers_\w+\.so: (cannot open|undefined symbol)|VERS_[\d.]+' not found/,
    advice: cudaLibraries,
  },
  { says: /lib(cu|nv)\w+\.so\S*: cannot open|cudnn.*(cannot open|not found|failed to load)/i, advice: cudaLibraries },
  {
    says: /CUDA failure (35|100|101|803|804)\b|no CUDA-capable device|driver version is insufficient/i,
    advice: driver,
  },
  {
    says: /CUDA failure (209|222)\b|no kernel image/i,
    advice:
      "The GPU is older than compute capability 7.5 (GeForce RTX 20, Tesla T4), which onnxruntime needs. Use the device webgpu or cpu.",
  },
  {
    says: /CUDA failure (46|700|719|999)\b/,
    advice: "Another program holds the GPU, or its driver failed. Close that program, or start the machine again.",
  },
  { says: /libvulkan\.so\S*: cannot open/, advice: vulkanDriver },
  {
    says: /DynamicIndexing required|requires? .*(feature|extension)|Vulkan .* required/i,
    advice:
      "This Vulkan driver lacks features that WebGPU needs, as Mesa's software driver before version 23 does. Install a newer driver for the graphics card.",
  },
  {
    says: /requires f16 but the device does not support it/,
    advice: "This adapter cannot compute in 16 bits. Compute in float32.",
  },
  { says: /Failed to get a WebGPU adapter|No supported adapters/, advice: vulkanDriver },
  {
    says: /GLIBC(XX)?_[\d.]+' not found|CXXABI_[\d.]+' not found|ld-linux-\S+: |Error relocating|ld-musl/,
    advice:
      "onnxruntime needs glibc 2.28 or newer, as Debian 10, Ubuntu 20.04 and RHEL 8 have. Alpine Linux has another C library: use a Debian image.",
  },
  {
    says: /invalid ELF header|file too short|Exec format error|not a valid Win32|Cannot find (module|package).*onnxruntime/i,
    advice: `onnxruntime's files are damaged, or belong to another system. ${reinstall}`,
  },
];

/** For a device that a build of onnxruntime does not have. */
const onlyOn: Readonly<Partial<Record<Device, string>>> = {
  coreml: "CoreML exists on macOS only.",
  dml: "DirectML exists on Windows only.",
  cuda: "CUDA exists on Linux, for NVIDIA GPUs. On Windows, use dml or webgpu; on macOS, coreml or webgpu.",
};

/** Returns what to do about a reason that native code gave. Undefined if the reason is not known. */
export const knownAdvice = (found: string): string | undefined => reasons.find(({ says }) => says.test(found))?.advice;

/** Returns what to do if a device cannot be used, for the reason that native code gave. The advice also names the device that always works. */
export function deviceAdvice(device: Device, found = ""): string {
  const use = device === "cpu" ? "" : "\nUntil then, use the device cpu.";
  return `${knownAdvice(found) ?? "Install the driver and the libraries that the reason names."}${use}`;
}

/** Says why the build of onnxruntime for this system does not have the device, and names devices to use instead. */
export function missingDeviceAdvice(device: Device, others: readonly Device[] = []): string {
  const use = others.length > 0 ? ` Use the device ${others.join(" or ")}.` : "";
  return `${onlyOn[device] ?? "onnxruntime has it on other systems."}${use}`;
}
