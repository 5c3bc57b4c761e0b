// The base of every layer: errors, progress, cancellation, dense arrays, seeded noise. Pure TypeScript.
// Knows: nothing else in the project.
// Does not know: files, devices, models.
export * from "./arguments.ts";
export * from "./bytes.ts";
export * from "./cancel.ts";
export * from "./counted.ts";
export * from "./errors.ts";
export * from "./fit.ts";
export * from "./half.ts";
export * from "./option.ts";
export * from "./optionText.ts";
export * from "./picture.ts";
export * from "./progress.ts";
export * from "./random.ts";
export * from "./schema.ts";
export * from "./sha256.ts";
export * from "./tensor.ts";
export { version } from "./version.ts";
export * from "./warning.ts";
