import { expect, test } from "vitest";
import { Histogram, metricsText } from "../../src/server/http/index.ts";

test("a histogram counts every value in all buckets that reach it, and is the same however often it is read", () => {
  const delays = new Histogram([0.25, 0.5]);
  for (const value of [0.125, 0.25, 0.375, 2]) delays.add(value);
  const text = (): string =>
    metricsText([{ name: "delay_seconds", about: "delay", type: "histogram", values: delays.values() }]);
  const expected = `# HELP delay_seconds delay
# TYPE delay_seconds histogram
delay_seconds_bucket{le="0.25"} 2
delay_seconds_bucket{le="0.5"} 3
delay_seconds_bucket{le="+Inf"} 4
delay_seconds_sum 2.75
delay_seconds_count 4
`;
  expect(text()).toBe(expected);
  expect(text()).toBe(expected);
});
