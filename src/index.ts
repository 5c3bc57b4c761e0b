// The library's public face.
export * from "./core/index.ts";
export {
  type Generated,
  type GenerateOptions,
  type GenerateWork,
  generate,
  type Model,
  type Size,
} from "./diffusion/index.ts";
export { type LoadModelOptions, loadModel } from "./diffusion/node.ts";
export type { BaretOptions, BaretResult, BaretSettings, Role, Sweep, SweepPoint } from "./editing/index.ts";
export * as baret from "./editing/node.ts";
export { decodeImage, encodePng } from "./image/node.ts";
export type { Inversion, InversionOptions, InversionSettings } from "./inversion/index.ts";
export { readInversion } from "./inversion/node.ts";
