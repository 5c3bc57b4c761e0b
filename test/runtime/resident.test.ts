import { expect, test } from "vitest";
import { tensor } from "../../src/core/index.ts";
import { processTreeMemory, startEngine } from "../../src/runtime/node/index.ts";
import { accumulating } from "./contract/programs.ts";

test("a hundred steps that keep and release take no more memory than a few", async () => {
  const engine = await startEngine({ threads: 1 });
  const length = 4 << 20;
  const large = await engine.load(accumulating(engine, length));
  let [x, y] = await engine.put([tensor([length]), tensor([length])]);
  const pss = (): number => processTreeMemory(engine.pid)?.pss ?? 0;
  let after10 = 0;
  for (let i = 0; i < 100; i++) {
    const { kept } = await large.runKeeping({ x, y }, ["next"]);
    x.release();
    x = kept.next;
    if (i === 9) after10 = pss();
  }
  // Without release, 90 tensors more of 16 MB each.
  expect(pss() - after10).toBeLessThan(400e6);
  await engine.close();
});
