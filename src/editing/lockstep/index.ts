// Sampling processes side by side, one batched forward a step: guidance as a list of terms, attention taken per group of
// sites, hooks between steps.
// Knows of: diffusion and every layer above it.
// Does not know of: any method.
export { type PlannedRow, type PlanOptions, planRows, type StepPlan } from "./plan.ts";
export {
  type Attention,
  type AttentionSource,
  conditional,
  guidedBy,
  type Process,
  type Term,
  unconditional,
} from "./process.ts";
export {
  type Hooks,
  type LockStep,
  type LockStepResult,
  type LockStepWork,
  type Observation,
  type Predictors,
  runLockStep,
  type StepState,
} from "./run.ts";
