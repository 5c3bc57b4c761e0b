import { expect, test } from "vitest";
import { Clock } from "../../src/experiments/node/run/clock.ts";

const names = [...Array<string>(8).fill("slow"), ...Array<string>(4).fill("fast")];

test("time is left as the jobs of each name took, once five were timed", () => {
  const clock = new Clock(names, 1);
  for (let k = 0; k < 3; k++) expect(clock.finished("slow", 10).secondsLeft).toBeUndefined();
  expect(clock.finished("fast", 1).secondsLeft).toBeUndefined();
  // Four slow and three fast ones are left.
  expect(clock.finished("slow", 10)).toEqual({ done: 5, total: 12, secondsLeft: 4 * 10 + 3 });
});

test("a job that was done before takes no time, and one whose name was not timed takes what the others take", () => {
  const clock = new Clock(names, 1);
  for (let k = 0; k < 3; k++) clock.finished("slow");
  for (let k = 0; k < 4; k++) clock.finished("slow", 10);
  expect(clock.finished("slow", 10)).toEqual({ done: 8, total: 12, secondsLeft: 4 * 10 });
});

test("two workers need half of the time", () => {
  const clock = new Clock(names, 2);
  for (let k = 0; k < 4; k++) clock.finished("slow", 10);
  expect(clock.finished("fast", 1).secondsLeft).toBe((4 * 10 + 3) / 2);
});
