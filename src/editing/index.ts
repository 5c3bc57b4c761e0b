// Editing methods behind one interface, and what they share: prepared photos, lock-step sampling, edits and sweeps.
// Knows of: inversion and every layer above it. Files and the disk cache are in node/.
// Does not know of: reading photos, writing results.
export {
  type AttentionMaps,
  type AttentionOptions,
  attentionMaps,
  observedPicture,
  type Place,
  requireAttention,
  type WordMap,
} from "./attention.ts";
export type { StripEdit } from "./chooseEdit.ts";
export { type EditResult, type EditWork, edit, editWith } from "./edit.ts";
export { type Fidelity, fidelityOf, type Quality } from "./fidelity.ts";
export * from "./lockstep/index.ts";
export * from "./method.ts";
export { baret } from "./methods/baret/index.ts";
export { direct } from "./methods/direct/index.ts";
export { imagic } from "./methods/imagic/index.ts";
export { masactrl } from "./methods/masactrl/index.ts";
export { negativePrompt } from "./methods/negativePrompt/index.ts";
export { nullText } from "./methods/nullText/index.ts";
export { plain } from "./methods/plain/index.ts";
export { sdedit } from "./methods/sdedit/index.ts";
export { sine } from "./methods/sine/index.ts";
export { pictureHash, planPrepared } from "./planPrepared.ts";
export {
  keyOf,
  type PrepareInput,
  type PreparePlan,
  type PrepareWork,
  planPreparation,
  prepare,
  withTarget,
} from "./prepare.ts";
export * from "./prepared/index.ts";
export { PreparedFiles, type PreparedFilesOptions } from "./preparedFiles.ts";
export { inversionsOnly, type PreparedStore, prepareStored } from "./preparedStore.ts";
export { methodNamed, methods, methodsWithCaption, methodsWithoutCaption, registerMethod } from "./registry.ts";
export { resolvedSettings } from "./resolve.ts";
export * as samplingOptions from "./samplingOptions.ts";
export { jobOf } from "./samplings.ts";
export {
  editSettings,
  notAnOption,
  optionNames,
  type PromptInput,
  prepareSettings,
  promptFields,
  schemaOf,
  type Verb,
} from "./settings.ts";
export * from "./strength/index.ts";
export { requirePoints, type Sweep, type SweepWork, sweep } from "./sweep.ts";
export { TrajectoryCache } from "./trajectories.ts";
