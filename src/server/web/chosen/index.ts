// Models that a person chooses on their disk: what they are, what they need, and their handles between visits.
// Knows of: checkpoints, the browser's files and database, WebGPU's adapters.
// Does not know of: jobs, tabs, the page.
export { type ChosenModel, ChosenModels, type KeptModel } from "./chosenModels.ts";
export type { ModelOnDisk, Runs } from "./inspect.ts";
export type { ChosenHandle, ChosenPlace } from "./place.ts";
