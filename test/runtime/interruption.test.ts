import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CancelledError, EngineError, tensor } from "../../src/core/index.ts";
import type { Engine, LoadOptions, Session } from "../../src/runtime/index.ts";
import type { Request } from "../../src/runtime/messages.ts";
import { ChildEngineProcess } from "../../src/runtime/node/childProcess.ts";
import { frameParts } from "../../src/runtime/node/frames.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { programBeside } from "../../src/runtime/node/program.ts";
import { DiskCache } from "../../src/storage/node/index.ts";
import { doubling, slow, slowToLoad } from "./contract/programs.ts";

const matrix = tensor([1024, 1024]);
const row = tensor([1, 3], Float32Array.of(1, 2, 3));
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
/** Waits until `condition` is true. Returns the milliseconds that this took. */
async function until(condition: () => boolean): Promise<number> {
  const start = performance.now();
  await expect.poll(condition, { timeout: 10_000, interval: 5 }).toBe(true);
  return performance.now() - start;
}

let engine: Engine;
let long: Session;
let short: Session;
let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "baret-interruption-"));
  engine = await startEngine({ threads: 1, cache: new DiskCache({ folder: join(root, "cache") }) });
  long = await engine.load(slow(engine));
  short = await engine.load(doubling(engine));
});
afterAll(async () => {
  await engine.close();
  rmSync(root, { recursive: true });
});
/** Every test begins with a running process that has loaded the long program. */
beforeEach(async () => {
  expect((await short.run({ x: row })).y.data[2]).toBe(6);
});

/** Waits until a process has computed for another fifth of a second: then it is inside a native call. */
async function computing(pid: number): Promise<void> {
  if (process.platform !== "linux") return void (await pause(1000));
  /** Processor time in hundredths of a second; see proc(5). */
  const spent = (): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = spent();
  await until(() => spent() >= before + 20);
}

/** Starts `work` and waits until it is inside its native call. */
async function inside<T>(work: Promise<T>): Promise<{ result: Promise<T>; pid: number }> {
  work.catch(() => undefined);
  await computing(engine.pid!);
  expect(await Promise.race([work, "running"])).toBe("running");
  return { result: work, pid: engine.pid! };
}
const underWay = (signal?: AbortSignal) => inside(long.run({ x: matrix }, { signal }));

/** Aborts. Returns the milliseconds until `result` rejected with CancelledError. */
async function cancelled(abort: AbortController, result: Promise<unknown>): Promise<number> {
  const start = performance.now();
  abort.abort();
  await expect(result).rejects.toThrow(CancelledError);
  return performance.now() - start;
}

describe("cancelling", () => {
  test("takes effect within a second, inside a native call, and frees its memory", async () => {
    const abort = new AbortController();
    const { result, pid } = await underWay(abort.signal);
    expect(await cancelled(abort, result)).toBeLessThan(1000);
    expect(await until(() => !isAlive(pid))).toBeLessThan(1000);
  });

  test.each<[string, () => LoadOptions]>([
    ["a load", () => ({})],
    ["a load that saves what it optimised", () => ({ save: true })],
  ])("takes effect within a second, inside %s, and leaves nothing behind", async (_, options) => {
    const abort = new AbortController();
    const { result, pid } = await inside(engine.load(slowToLoad(engine), { ...options(), signal: abort.signal }));
    expect(await cancelled(abort, result)).toBeLessThan(1000);
    expect(await until(() => !isAlive(pid))).toBeLessThan(1000);
    const entries = () => (existsSync(join(root, "cache")) ? readdirSync(join(root, "cache")) : []);
    await until(() => entries().every((name) => name === "leases"));
    expect(entries().filter((name) => name !== "leases")).toEqual([]);
  });

  test("while the process is replaced does not start a second one", async () => {
    const { pid } = engine;
    process.kill(pid!, "SIGKILL");
    await until(() => engine.pid === undefined);
    const starts = vi.spyOn(ChildEngineProcess, "start");
    const abort = new AbortController();
    const first = short.run({ x: row }, { signal: abort.signal });
    await until(() => starts.mock.calls.length > 0);
    expect(await cancelled(abort, first)).toBeLessThan(1000);
    const results = await Promise.all([short.run({ x: row }), short.run({ x: row })]);
    expect(results.map(({ y }) => y.data[2])).toEqual([6, 6]);
    expect(starts).toHaveBeenCalledTimes(1);
    starts.mockRestore();
  });
});

describe("the engine's process", () => {
  test.each([
    ["SIGKILL", /it was killed \(SIGKILL\), probably because the system ran out of memory/],
    ["SIGSEGV", /native code crashed \(SIGSEGV\)/],
    ["SIGABRT", /native code aborted \(SIGABRT\)/],
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

  test("killed in the middle of a load is an EngineError, and the next load works", async () => {
    const { result, pid } = await inside(engine.load(slowToLoad(engine)));
    process.kill(pid, "SIGKILL");
    await expect(result).rejects.toThrow(/the process that runs the model ended.*SIGKILL/);
    const session = await engine.load(doubling(engine));
    expect([...(await session.run({ x: row })).y.data]).toEqual([2, 4, 6]);
    await session.release();
  });

  test("ignores Ctrl-C of the terminal, which the parent handles", async () => {
    const { pid } = engine;
    process.kill(pid!, "SIGINT");
    await short.run({ x: row });
    expect(engine.pid).toBe(pid);
  });

  test("closed in the middle of a run ends that run", async () => {
    const other = await startEngine({ threads: 1 });
    const result = (await other.load(slow(engine))).run({ x: matrix });
    result.catch(() => undefined);
    const pid = other.pid!;
    await computing(pid);
    await other.close();
    await expect(result).rejects.toThrow(EngineError);
    expect(isAlive(pid)).toBe(false);
  });

  test("keeps its parent alive until it has ended, although it answers meanwhile", async () => {
    const script = `
      const { ChildEngineProcess } = await import(process.argv[1]);
      const { child } = await ChildEngineProcess.start("cpu");
      const answer = child.request({ kind: "put", tensors: [] });
      const answered = performance.now() + 500;
      while (performance.now() < answered);
      await Promise.all([answer, child.end()]);
      console.log("ended");`;
    const program = new URL("../../dist/runtime/node/childProcess.js", import.meta.url).href;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script, program]);
    let said = "";
    parent.stdout.on("data", (text) => {
      said += text;
    });
    // Node ends with status 13 if it has nothing to do although something is awaited.
    expect(await once(parent, "close")).toEqual([0, null]);
    expect(said).toBe("ended\n");
  });

  test("ends when its parent is killed, inside a native call", async () => {
    const { name, model } = slow(engine);
    const x = { name: "x", dtype: "float32", shape: [1024, 1024] } as const;
    const load: Request = { kind: "load", session: 0, load: { options: { logId: name } } };
    const run: Request = { kind: "run", session: 0, feeds: [x], outputs: ["y"], keep: [] };
    const frames = [...frameParts(load, [model]), ...frameParts(run, [new Uint8Array(matrix.data.buffer)])];
    writeFileSync(join(root, "requests"), Buffer.concat(frames));
    const script = `
      const { spawn } = require("node:child_process");
      const stdio = ["ignore", "ignore", "inherit", "pipe", "pipe"];
      const child = spawn(process.execPath, [process.argv[1]], { stdio });
      child.stdio[3].write(require("node:fs").readFileSync(process.argv[2]));
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const program = programBeside(new URL("../../src/runtime/node/childProcess.ts", import.meta.url).href, "child");
    const parent = spawn(process.execPath, ["-e", script, program, join(root, "requests")]);
    const [pid] = (await once(parent.stdout, "data")).map(Number);
    await computing(pid);
    // Both write to this pipe, so it ends when both have ended. The new parent of an orphan differs between systems.
    const ended = once(parent.stderr.resume(), "end");
    const start = performance.now();
    parent.kill("SIGKILL");
    await ended;
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
