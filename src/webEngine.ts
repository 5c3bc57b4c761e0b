// The engine's public face in a browser, "baret/engine": as in engine.ts, with the browser's storage instead of the disk.
export { type LoadModelOptions, loadModel, type ModelPlace } from "./diffusion/web/index.ts";
export * from "./engineNames.ts";
export { defaultThreads, startEngine, type WebEngineOptions } from "./runtime/web/index.ts";
export {
  type DownloadPolicy,
  type KeepOptions,
  keepInBrowser,
  openFile,
  openFileList,
  openHandle,
  openKept,
  openWebFile,
  openWebFolder,
  removeKept,
  StoredCache,
  type StoredCacheOptions,
  type WebFolderOptions,
} from "./storage/web/index.ts";
