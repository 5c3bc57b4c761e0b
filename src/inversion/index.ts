// How a photo becomes latents and embeddings that reproduce it: DDIM inversion, target-text inversion, inversion files.
// Knows of: diffusion and every layer above it. Hashes and files on disk are in node.ts.
// Does not know of: what an edit does with them.
export { Adam } from "./adam.ts";
export { ddimInversion, type InversionPrompt, invertStep } from "./ddim.ts";
export { type Fidelity, fidelityOf } from "./fidelity.ts";
export { decodeInversion, encodeInversion } from "./file.ts";
export { requireFit, requireInversionOf, type Use } from "./fit.ts";
export {
  type Inversion,
  isComplete,
  iterationsOf,
  type KnownOrigin,
  type Origin,
  type Trace,
} from "./inversion.ts";
export { type InvertWork, invert } from "./invert.ts";
export * from "./options.ts";
export { type LossAndGradient, openReconstructionLoss, ReconstructionLoss, type Step } from "./reconstructionLoss.ts";
export { type TunedStep, tuneStep } from "./targetText.ts";
