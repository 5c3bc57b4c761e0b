// Tools for methods: DDIM inversion, and optimising a text embedding until sampling reproduces a photo.
// Knows of: diffusion and every layer above it.
// Does not know of: any method, its settings or its files.
export { Adam } from "./adam.ts";
export {
  ddimInversion,
  type InversionInput,
  type InversionPrompt,
  type InversionWork,
  invertStep,
  type Trajectories,
} from "./ddim.ts";
export { type Descent, gradientDescent, type Optimiser } from "./optimiser.ts";
export {
  type LossAndGradient,
  openReconstructionLoss,
  ReconstructionLoss,
  type Step,
  type StepValues,
} from "./reconstructionLoss.ts";
export { sampleStep, type TunedStep, type TuneInput, type TuningPrograms, tuneStep } from "./tuneStep.ts";
