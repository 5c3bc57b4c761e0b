// Running compiled graphs in Node: the child process around onnxruntime-node, the machine's cores and memory.
// Knows: core, graph, weights, storage.
// Does not know: models, what a program computes.
export {
  type CudaInstall,
  type CudaOptions,
  type CudaPlan,
  findCuda,
  installCuda,
  nvidiaLicence,
  oldestCapability,
  oldestDriver,
  pipCommand,
  planCuda,
  removeCuda,
  removeUnfinished,
} from "./cuda/index.ts";
export { KeepAlive } from "./keepAlive.ts";
export { mostThreads, physicalCores } from "./machine.ts";
export { availableMemory, checkMemory, type ProcessMemory, processTreeMemory } from "./memory.ts";
export { type InstalledOnnxruntime, installedOnnxruntime } from "./onnxruntime.ts";
export { programBeside } from "./program.ts";
export { type NodeEngineOptions, startEngine } from "./startEngine.ts";
export { fileSource } from "./weightFiles.ts";
