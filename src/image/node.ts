export * from "./node/decode.ts";
export * from "./node/encode.ts";
