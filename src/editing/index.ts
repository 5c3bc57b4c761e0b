// Edits of an inverted photo: BARET, and what lock-step methods share.
// Knows of: inversion and every layer above it.
// Does not know of: where photos come from, where results go.
export { type BaretResult, edit, type Role, roles } from "./baret.ts";
export {
  type AlphaShape,
  alphaSchedule,
  alphaShapes,
  type BaretOptions,
  type BaretSettings,
  baretOptions,
  baretSettings,
  type Layers,
  replacements,
  routedHalves,
  type Window,
} from "./baretOptions.ts";
export * from "./lockstep/index.ts";
export { requirePoints, type Sweep, type SweepPoint, type SweepWork, sweep } from "./sweep.ts";
