/** Lists that clients read at their start, of things that the server does not have. */
export const emptyLists = [
  "upscalers",
  "sd-vae",
  "loras",
  "hypernetworks",
  "face-restorers",
  "prompt-styles",
  "realesrgan-models",
] as const;
