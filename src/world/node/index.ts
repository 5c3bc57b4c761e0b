// The part of the Menagerie that needs Node: data sets on disk.
export { writePairs } from "./pairs.ts";
export type { ShardSet } from "./shard.ts";
export { writeShards } from "./shards.ts";
