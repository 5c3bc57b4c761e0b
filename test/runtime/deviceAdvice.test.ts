import { expect, test } from "vitest";
import { deviceAdvice, missingDeviceAdvice } from "../../src/runtime/index.ts";
import { withReasons } from "../../src/runtime/reasons.ts";

/** A line of onnxruntime's log, as it is written to a terminal. */
const logged = (text: string): string =>
  "\x1b[1;31m2026-11-28 09:08:24.564414268 [E:onnxruntime:onnxruntime-node, provider_bridge_ort.cc:2146 Create] " +
  "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1988 onnxruntime::Provider& " +
  `onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : ${text}\n\x1b[m\n`;
const cudaFailed = "OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library";
const library = "/p/bin/napi-v6/linux/x64/libonnxruntime_providers";
const cudaCall = (failure: string): string =>
  "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:146 std::conditional_t<THRW, void, onnxruntime::common::Status> " +
  "onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool " +
  "THRW = true; SUCCTYPE = cudaError; std::conditional_t<THRW, void, common::Status> = void] " +
  "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:139 std::conditional_t<THRW, void, onnxruntime::common::Status> " +
  "onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool " +
  `THRW = true; SUCCTYPE = cudaError; std::conditional_t<THRW, void, common::Status> = void] ${failure} ; GPU=-1 ; hostname=vm ; ` +
  "file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=352 ; expr=cudaSetDevice(info_.device_id);";

// The messages are those of onnxruntime 1.30 on Linux, copied from its log, except where a row says otherwise.
test.each([
  [
    "as installed",
    "cuda",
    cudaFailed,
    logged(
      `Failed to load library ${library}_shared.so with error: ${library}_shared.so: cannot open shared object file`,
    ),
    "baret cuda install",
  ],
  [
    "the provider without CUDA",
    "cuda",
    cudaFailed,
    logged(`Failed to load library ${library}_cuda.so with error: libcublasLt.so.13: cannot open shared object file`),
    "baret cuda install",
  ],
  [
    "a provider of another version",
    "cuda",
    cudaFailed,
    logged(
      `Failed to load library ${library}_cuda.so with error: ${library}_cuda.so: undefined symbol: cuTensorMapEncodeTiled`,
    ),
    "baret cuda install",
  ],
  [
    "CUDA without a driver",
    "cuda",
    cudaFailed,
    logged(`Failed to load library ${library}_cuda.so with error: libcuda.so.1: cannot open shared object file`),
    "driver 580 or newer",
  ],
  [
    "a driver without a GPU",
    "cuda",
    cudaCall("CUDA failure 100: no CUDA-capable device is detected"),
    "",
    "driver 580 or newer",
  ],
  // Made from CUDA's documentation: no such machine was at hand.
  [
    "an old driver",
    "cuda",
    cudaCall("CUDA failure 35: CUDA driver version is insufficient"),
    "",
    "driver 580 or newer",
  ],
  ["an old GPU", "cuda", cudaCall("CUDA failure 209: no kernel image is available"), "", "compute capability 7.5"],
  [
    "no Vulkan",
    "webgpu",
    "Failed to get a WebGPU adapter: No supported adapters",
    "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file or directory\n",
    "libvulkan1",
  ],
  [
    "Mesa 22.3's software driver",
    "webgpu",
    "Failed to get a WebGPU adapter: No supported adapters",
    "Warning: Vulkan shaderUniform*ArrayDynamicIndexing required.\n    at Initialize (PhysicalDeviceVk.cpp:253)\n",
    "Install a newer driver",
  ],
  ["no GPU at all", "webgpu", "Failed to get a WebGPU adapter: No supported adapters", "", "vulkaninfo --summary"],
  [
    "16 bits",
    "webgpu",
    "Program Cast requires f16 but the device does not support it.",
    "",
    "cannot compute in 16 bits",
  ],
  // Node's and glibc's messages.
  ["an old system", "cpu", "/lib/libc.so.6: version `GLIBC_2.28' not found (required by x)", "", "glibc 2.28"],
  ["Alpine", "cpu", "Error loading shared library ld-linux-x86-64.so.2: No such file", "", "use a Debian image"],
  ["a damaged binary", "cpu", "onnxruntime_binding.node: file too short", "", "npm ci"],
] as const)("the advice fits the reason: %s", (_, device, message, log, advice) => {
  const found = withReasons(message, log);
  expect(deviceAdvice(device, found)).toContain(advice);
  expect(deviceAdvice(device, found).includes("use the device cpu")).toBe(device !== "cpu");
  expect(found).not.toMatch(/onnxruntime_src|hostname=|\[31m/);
});

test("CUDA's message is cut to its statement", () => {
  expect(withReasons(cudaCall("CUDA failure 100: no CUDA-capable device is detected"), "")).toBe(
    "CUDA failure 100: no CUDA-capable device is detected",
  );
});

test("an unknown reason still gets advice, and names the device that always works", () => {
  expect(deviceAdvice("webgpu", "something new")).toContain("use the device cpu");
});

test("a device of another system names the system and the devices that are here", () => {
  expect(missingDeviceAdvice("coreml", ["cpu", "webgpu"])).toBe(
    "CoreML exists on macOS only. Use the device cpu or webgpu.",
  );
});
