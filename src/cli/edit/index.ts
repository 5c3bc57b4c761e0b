// `baret invert`, `baret edit`, `baret sweep`, `baret compare`, `baret attention`: arguments to tasks, events to terminal lines.
// Knows of: tasks and every layer above it; the options and printing that all commands share.
// Does not know of: the computation of an inversion or an edit.
export { attentionCommand } from "./attention.ts";
export { compareCommand } from "./compare.ts";
export { editCommand } from "./edit.ts";
export { invertCommand } from "./invert.ts";
export { sweepCommand } from "./sweep.ts";
