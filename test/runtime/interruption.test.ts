import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CancelledError, EngineError, tensor } from "../../src/core/index.ts";
import { childProgram } from "../../src/runtime/childProcess.ts";
import { frameParts } from "../../src/runtime/frames.ts";
import type { Engine, Session } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node.ts";
import { doubling, slow } from "./programs.ts";

const matrix = tensor([1024, 1024]);
const row = tensor([1, 3], Float32Array.of(1, 2, 3));
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
async function until(condition: () => boolean, milliseconds: number): Promise<number> {
  const start = performance.now();
  while (!condition() && performance.now() - start < milliseconds) await pause(5);
  return performance.now() - start;
}

let engine: Engine;
let long: Session;
let short: Session;
beforeAll(async () => {
  engine = await startEngine({ threads: 1 });
  long = await engine.load(slow());
  short = await engine.load(doubling());
});
afterAll(() => engine.close());
/** Every test begins with a living process that has the long program loaded. */
beforeEach(async () => {
  expect((await short.run({ x: row })).y.data[2]).toBe(6);
});

/** Starts the long program and returns once it is inside its native call. */
async function underWay(signal?: AbortSignal): Promise<{ result: Promise<unknown>; pid: number }> {
  const result = long.run({ x: matrix }, { signal });
  result.catch(() => undefined);
  await pause(400);
  expect(await Promise.race([result, "running"])).toBe("running");
  return { result, pid: engine.pid! };
}

describe("cancelling", () => {
  test("takes effect within a second, inside a native call", async () => {
    const abort = new AbortController();
    const { result, pid } = await underWay(abort.signal);
    const start = performance.now();
    abort.abort();
    await expect(result).rejects.toThrow(CancelledError);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(await until(() => !isAlive(pid), 1000)).toBeLessThan(1000);
  });

  test("leaves the engine usable: what was loaded is loaded again", async () => {
    const abort = new AbortController();
    const { result } = await underWay(abort.signal);
    const waiting = short.run({ x: row });
    abort.abort();
    await expect(result).rejects.toThrow("running slow was cancelled");
    expect([...(await waiting).y.data]).toEqual([2, 4, 6]);
  });

  test("a call that waits for its turn does not disturb the one that runs", async () => {
    const abort = new AbortController();
    const { result, pid } = await underWay();
    const waiting = short.run({ x: row }, { signal: abort.signal });
    const start = performance.now();
    abort.abort();
    await expect(waiting).rejects.toThrow(CancelledError);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(engine.pid).toBe(pid);
    await expect(result).resolves.toHaveProperty("y");
  });

  test("a signal that is aborted already runs nothing", async () => {
    const { pid } = engine;
    const signal = AbortSignal.abort();
    await expect(short.run({ x: row }, { signal })).rejects.toThrow(CancelledError);
    await expect(engine.load(doubling(), { signal })).rejects.toThrow(CancelledError);
    await expect(startEngine({ signal })).rejects.toThrow(CancelledError);
    expect(engine.pid).toBe(pid);
  });

  test("after the call is done changes nothing", async () => {
    const abort = new AbortController();
    const { pid } = engine;
    await short.run({ x: row }, { signal: abort.signal });
    abort.abort();
    await short.run({ x: row });
    expect(engine.pid).toBe(pid);
  });
});

describe("the engine's process", () => {
  test.each([
    ["SIGKILL", /it was killed \(SIGKILL\), most likely by the system because memory ran out/],
    ["SIGSEGV", /native code crashed \(SIGSEGV\)/],
    ["SIGABRT", /native code gave up \(SIGABRT\)/],
    ["SIGBUS", /weight file became shorter or unreadable/],
  ])(
    "ended by %s in the middle of a run is an EngineError that says so, and the next run works",
    async (signal, said) => {
      const { result, pid } = await underWay();
      process.kill(pid, signal);
      await expect(result).rejects.toThrow(said);
      await expect(result).rejects.toThrow(EngineError);
      expect([...(await short.run({ x: row })).y.data]).toEqual([2, 4, 6]);
    },
  );

  test("killed between two runs is replaced silently", async () => {
    const pid = engine.pid!;
    process.kill(pid, "SIGKILL");
    await until(() => engine.pid === undefined, 2000);
    expect([...(await short.run({ x: row })).y.data]).toEqual([2, 4, 6]);
    expect(engine.pid).not.toBe(pid);
  });

  test("ignores the terminal's Ctrl-C, which is its parent's to answer", async () => {
    const { pid } = engine;
    process.kill(pid!, "SIGINT");
    await pause(100);
    await short.run({ x: row });
    expect(engine.pid).toBe(pid);
  });

  test("leaves this process's event loop free", async () => {
    const { result } = await underWay();
    const start = performance.now();
    for (let i = 0; i < 20; i++) await pause(1);
    expect(performance.now() - start).toBeLessThan(1000);
    await result;
  });

  test("closed in the middle of a run ends that run", async () => {
    const other = await startEngine({ threads: 1 });
    const result = (await other.load(slow())).run({ x: matrix });
    result.catch(() => undefined);
    await pause(300);
    const { pid } = other;
    await other.close();
    await expect(result).rejects.toThrow(EngineError);
    expect(isAlive(pid!)).toBe(false);
  });

  test("ends when its parent is killed, inside a native call", async () => {
    const folder = mkdtempSync(join(tmpdir(), "baret-orphan-"));
    try {
      const { name, model } = slow();
      const shape = [1024, 1024];
      const frames = [
        ...frameParts({ kind: "load", session: 0, options: { logId: name } }, [model]),
        ...frameParts({ kind: "run", session: 0, feeds: [{ name: "x", dtype: "float32", shape }], outputs: ["y"] }, [
          new Uint8Array(matrix.data.buffer),
        ]),
      ];
      writeFileSync(join(folder, "requests"), Buffer.concat(frames));
      const script = `
        const { spawn } = require("node:child_process");
        const child = spawn(process.execPath, [process.argv[1]], { stdio: ["ignore", "ignore", "inherit", "pipe", "pipe"] });
        child.stdio[3].write(require("node:fs").readFileSync(process.argv[2]));
        console.log(child.pid);
        setInterval(() => {}, 1000);`;
      const parent = spawn(process.execPath, ["-e", script, childProgram(), join(folder, "requests")]);
      const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (text) => resolve(Number(text))));
      await pause(1500);
      expect(isAlive(pid)).toBe(true);
      parent.kill("SIGKILL");
      expect(await until(() => !isAlive(pid), 2000)).toBeLessThan(1000);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
