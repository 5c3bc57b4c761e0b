// Runs sampling processes in lock step, with one batched noise prediction for each step: guidance as a list of terms,
// attention from other processes at groups of sites, hooks after each step.
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
