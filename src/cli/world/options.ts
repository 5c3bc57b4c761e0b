import { availableParallelism } from "node:os";
import { Option } from "commander";
import { DEFAULT_EDITION, EDITIONS, type Edition, MAX_SIZE } from "../../world/index.ts";
import { integer, type OptionType, option } from "../options.ts";

const edition: OptionType<Edition> = {
  expected: EDITIONS.join(" or "),
  read: (text) => EDITIONS.find((known) => `${known}` === text),
};

export const editionOption = (): Option =>
  option(
    "--edition <n>",
    `edition of the world, ${edition.expected}; the models of this package know edition ${DEFAULT_EDITION}`,
    edition,
  );

export const sizeOption = (): Option =>
  option("--size <pixels>", "width and height of a picture", integer(8, MAX_SIZE)).default(128);

export const countOption = (count: number): Option =>
  option("--count <n>", "number of pictures", integer(1, 10_000_000)).default(count);

export const heldOutOption = (): Option =>
  new Option("--held-out", "only combinations that training leaves out; not with --split train");

export const threadsOption = (): Option =>
  option("--workers <n>", "number of threads", integer(1, 256)).default(availableParallelism());
