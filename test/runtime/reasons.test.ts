import { expect, test } from "vitest";
import { isDeviceLost, withReasons } from "../../src/runtime/reasons.ts";

test("a message is followed by the reasons of the log, without colours, times, source places and repetitions", () => {
  const log =
    "\x1b[1;31m2026-11-27 13:54:42.188336774 [E:onnxruntime:onnxruntime-node, provider_bridge_ort.cc:2146 Create] " +
    "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1988 onnxruntime::Provider& " +
    "onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library libx.so\n\x1b[m\n" +
    "Warning: no driver\n    at Check (/build/dawn/VulkanError.cpp:106)\nWarning: no driver\n";
  expect(withReasons("Failed to load shared library", log)).toBe(
    "Failed to load shared library; Failed to load library libx.so; Warning: no driver",
  );
});

test("a message keeps the problem and loses its place in the source", () => {
  const message =
    "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 Context::Initialize(const Config&)" +
    "::<lambda()> result.status == Success was false. Failed to get a WebGPU adapter:\n No supported adapters\n";
  expect(withReasons(message, "")).toBe("Failed to get a WebGPU adapter: No supported adapters");
});

test("a log that only repeats the message adds nothing", () => {
  expect(withReasons("Non-zero status: broadcasting failed", "broadcasting failed\n")).toBe(
    "Non-zero status: broadcasting failed",
  );
});

test.each([
  ["the device was lost: nvidia ampere: unknown", true],
  ["WebGPU device lost (2): Device was destroyed.", true],
  ["vkQueueSubmit failed with VK_ERROR_DEVICE_LOST", true],
  ["CUDA failure 700: an illegal memory access was encountered ; GPU=0", true],
  ["CUDA failure 100: no CUDA-capable device is detected", false],
  ["CUDA failure 2: out of memory", false],
  ["indices element out of data bounds", false],
])("%s: device lost is %s", (message, lost) => {
  expect(isDeviceLost(message)).toBe(lost);
});
