// Diffusion with a loaded checkpoint: noise schedules, guidance, sampling.
// Knows of: every layer above it, models included.
// Does not know of: how a picture is inverted or edited.
export * from "./schedule.ts";
