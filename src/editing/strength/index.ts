// Chooses how much of the photo an edit keeps: a method's strip of edits, scorers that rank them, and the choice.
// Knows of: diffusion and every layer above it, and method.ts.
// Does not know of: any method.
export { type Choice, chooseStrength, stripSteps, type Tried } from "./choose.ts";
export { type Candidate, noiseScorer, type Scorer } from "./scorer.ts";
export { decide, settingsAt } from "./strip.ts";
