import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { joinSignals } from "../../src/core/index.ts";

test("a joined signal aborts with the first of its signals and its reason, and leaves nothing in any of them", () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const { signal } = joinSignals(one.signal, undefined, two.signal);
  expect(signal.aborted).toBe(false);
  two.abort("the second");
  one.abort("the first");
  expect([signal.aborted, signal.reason]).toEqual([true, "the second"]);
  for (const each of [one, two]) expect(getEventListeners(each.signal, "abort")).toEqual([]);
});

test("a joined signal is aborted from the start if one of its signals is", () => {
  const { signal } = joinSignals(new AbortController().signal, AbortSignal.abort("before"));
  expect([signal.aborted, signal.reason]).toEqual([true, "before"]);
});

test("a released signal hears nothing more", () => {
  const one = new AbortController();
  const { signal, release } = joinSignals(one.signal);
  release();
  one.abort();
  expect(signal.aborted).toBe(false);
  expect(getEventListeners(one.signal, "abort")).toEqual([]);
});
