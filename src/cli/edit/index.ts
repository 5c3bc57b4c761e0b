// `baret invert`, `baret edit`, `baret sweep`, `baret attention`: photos, target sentences, and what becomes of them.
// Knows of: editing, inversion, diffusion, image, storage; the options and words that all commands share.
// Does not know of: how an inversion or an edit is computed.
export { attentionCommand } from "./attention.ts";
export { editCommand } from "./edit.ts";
export { invertCommand } from "./invert.ts";
export { sweepCommand } from "./sweep.ts";
