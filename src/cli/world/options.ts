import { availableParallelism } from "node:os";
import type { Option } from "commander";
import { MAX_SIZE } from "../../world/index.ts";
import { integer, option } from "../options.ts";

export const sizeOption = (): Option =>
  option("--size <pixels>", "width and height of a picture", integer(8, MAX_SIZE)).default(128);

export const countOption = (count: number): Option =>
  option("--count <n>", "how many", integer(1, 10_000_000)).default(count);

export const workersOption = (): Option =>
  option("--workers <n>", "threads", integer(1, 256)).default(availableParallelism());
