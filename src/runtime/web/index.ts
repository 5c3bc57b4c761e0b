// Running compiled graphs in a browser: a module Worker around onnxruntime-web, with WebAssembly or WebGPU. Its package is an
// optional peer, of exactly the version that package.json names.
// Knows: core, graph, weights.
// Does not know: models, what a program computes, where a page keeps files.
export { type GpuFacts, gpuFacts } from "./gpu.ts";
export { defaultThreads, startEngine, WASM_BYTES, type WebEngineOptions, webDevices } from "./startEngine.ts";
