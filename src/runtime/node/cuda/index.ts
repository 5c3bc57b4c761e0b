// CUDA libraries for onnxruntime: which ones fit, how they are installed, where they are.
// Knows: core, storage, the installed onnxruntime.
// Does not know: engines, graphs, models.
export {
  type CudaOptions,
  type CudaPlan,
  installCuda,
  pipCommand,
  planCuda,
  removeCuda,
  removeUnfinished,
} from "./install.ts";
export { nvidiaLicence, oldestCapability, oldestDriver } from "./packages.ts";
export { type CudaInstall, findCuda } from "./place.ts";
