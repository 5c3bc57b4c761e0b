// Models as functions from a config to a graph: U-Net, VAE, CLIP text and vision, the networks of LPIPS, DINO. Weights have
// their names in the checkpoint.
// Knows: core, graph.
// Does not know: files, how a graph is run, samplers.
export * from "./attention-sites.ts";
export * from "./attentionControl.ts";
export * from "./clip.ts";
export {
  type ClipConfig,
  type ClipTextConfig,
  type ClipVisionConfig,
  readClipConfig,
  readClipTextConfig,
} from "./clip-config.ts";
export { only, readConfig } from "./config.ts";
export { type DinoConfig, dinoB8, dinoKeys, structureDistance } from "./dino.ts";
export { type LpipsConfig, type LpipsNet, lpips, lpipsNets } from "./lpips.ts";
export { type GridBox, positionGrid, positionShape, positionWeight } from "./position.ts";
export { Scope } from "./scope.ts";
export { attentionSites, timeShape, timestepSinusoids, type UNetInputs, unet } from "./unet.ts";
export { readUNetConfig, type UNetBlock, type UNetConfig } from "./unet-config.ts";
export { decode, encode, readVaeConfig, type VaeConfig } from "./vae.ts";
