export * from "./arithmetic.ts";
export * from "./attention.ts";
export * from "./convolution.ts";
export * from "./functions.ts";
export * from "./layout.ts";
export * from "./linear.ts";
export * from "./normalisation.ts";
export * from "./pooling.ts";
