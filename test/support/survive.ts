import { expect, vi } from "vitest";
import { BaretError, Random } from "../../src/core/index.ts";

/**
 * Factor of the number of cases of each fuzz test. To run about 100,000 cases:
 * BARET_FUZZ_CASES=8 npx vitest run test/weights/fuzz.test.ts test/editing/fuzz.test.ts test/cli/fuzz.test.ts
 */
const times = Number(process.env.BARET_FUZZ_CASES ?? 1);
vi.setConfig({ testTimeout: times * 240_000 });

/** Longest time of one case, on a machine that may be busy. */
const MAX_MS = 10_000;

/**
 * Runs `attempt` for `count` seeds and counts the outcomes by name. Fails, with the seed, if an attempt ends in an error that
 * is not `allowed` or takes too long. To debug a seed, run `attempt` with it alone.
 */
export async function survive(
  count: number,
  allowed: readonly string[],
  attempt: (random: Random) => Promise<void>,
): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = { success: 0 };
  const failures: string[] = [];
  for (let seed = 1; seed <= count * times; seed++) {
    const start = performance.now();
    const outcome: unknown = await attempt(new Random(seed)).catch((error: unknown) => error ?? "nothing");
    const took = performance.now() - start;
    if (took > MAX_MS) failures.push(`seed ${seed}: took ${Math.round(took)} ms`);
    const name = outcome === undefined ? "success" : outcome instanceof Error ? outcome.name : typeof outcome;
    outcomes[name] = (outcomes[name] ?? 0) + 1;
    if (outcome === undefined) continue;
    if (!(outcome instanceof BaretError && allowed.includes(name))) {
      failures.push(`seed ${seed}: ${outcome instanceof Error ? outcome.stack?.slice(0, 2000) : String(outcome)}`);
    } else if (outcome.message.length > 15_000 || outcome.message.split("\n").length > 80) {
      failures.push(`seed ${seed}: a message of ${outcome.message.length} letters: ${outcome.message.slice(0, 500)}`);
    }
  }
  if (times > 1) console.log(expect.getState().currentTestName, count * times, JSON.stringify(outcomes));
  expect(failures.slice(0, 5)).toEqual([]);
  return outcomes;
}
