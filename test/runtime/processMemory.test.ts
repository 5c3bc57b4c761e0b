import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { processTreeMemory } from "../../src/runtime/node/index.ts";
import { notLinux, titled } from "../support/needs.ts";

// A process of its own: what earlier tests have left in a shared one may be freed while this measures.

const bytes = 200_000_000;

test.skipIf(notLinux)(titled("the memory of a process includes its arrays and its children's", notLinux), async () => {
  const before = processTreeMemory()!;
  const held = new Uint8Array(bytes).fill(1);
  const after = processTreeMemory()!;
  expect(after.pss - before.pss).toBeGreaterThan(0.8 * held.length);
  expect(after.anonymous - before.anonymous).toBeGreaterThan(0.8 * held.length);
  expect(after.peak).toBeGreaterThanOrEqual(after.pss * 0.9);

  const program = `const held = new Uint8Array(${bytes}).fill(1); console.log(held.length); setInterval(() => held, 1000)`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    expect(processTreeMemory()!.pss - after.pss).toBeGreaterThan(0.8 * bytes);
  } finally {
    child.kill("SIGKILL");
  }
});
