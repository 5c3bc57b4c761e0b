import { availableParallelism } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import { MAX_SIZE } from "../../world/index.ts";

/** A commander parser for integers from `least` to `most`. */
export const integer =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`expected an integer from ${least} to ${most}.`);
    }
    return value;
  };

export const seedOption = (): Option =>
  new Option("--seed <n>", "seed of the random choices").argParser(integer(0, Number.MAX_SAFE_INTEGER)).default(1);

export const sizeOption = (): Option =>
  new Option("--size <pixels>", "width and height of a picture").argParser(integer(8, MAX_SIZE)).default(128);

export const countOption = (count: number): Option =>
  new Option("--count <n>", "how many").argParser(integer(1, 10_000_000)).default(count);

export const workersOption = (): Option =>
  new Option("--workers <n>", "threads").argParser(integer(1, 256)).default(availableParallelism());
