import { counted, formatBytes } from "../core/index.ts";
import type { Computed } from "../diffusion/index.ts";

/** Estimated time and memory of a task, made before it begins. */
export interface Estimate {
  /** The least and the most seconds. They differ if a preparation may end early. */
  readonly seconds: readonly [least: number, most: number];
  /** The most bytes of the engine at any moment, on a CPU. */
  readonly memory: number;
  /** The most computations of the U-Net. */
  readonly computed: Computed;
}

const units = [
  { name: "hour", seconds: 3600 },
  { name: "minute", seconds: 60 },
  { name: "second", seconds: 1 },
];

interface Duration {
  readonly count: number;
  readonly unit: string;
}

/** Returns a time in the largest unit of which it has two, else in seconds. */
function durationOf(seconds: number): Duration {
  const unit = units.find((one) => seconds >= 2 * one.seconds) ?? units[units.length - 1];
  return { count: Math.max(1, Math.round(seconds / unit.seconds)), unit: unit.name };
}

const durationText = ({ count, unit }: Duration): string => counted(count, unit);

/** Returns a time in words: "25 minutes". */
export const timeText = (seconds: number): string => durationText(durationOf(seconds));

/** Returns an estimate in words: "about 4 to 25 minutes and 6.70 GB of memory". */
export function estimateText({ seconds, memory }: Estimate): string {
  const [least, most] = seconds.map(durationOf);
  const [from, to] = [least.unit === most.unit ? `${least.count}` : durationText(least), durationText(most)];
  const time = durationText(least) === to ? to : `${from} to ${to}`;
  return `about ${time} and ${formatBytes(memory)} of memory`;
}
