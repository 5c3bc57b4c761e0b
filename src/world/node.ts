// The part of the Menagerie that needs Node: data sets on disk.
export { writePairs } from "./node/pairs.ts";
export type { ShardSet } from "./node/shard.ts";
export { writeShards } from "./node/shards.ts";
