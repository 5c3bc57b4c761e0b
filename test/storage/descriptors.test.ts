import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "baret-descriptors-"));
afterAll(() => rmSync(folder, { recursive: true }));
const dist = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;

/** Runs Node with at most `limit` open files. */
const limited = (limit: number, ...args: string[]) =>
  spawnSync("/bin/sh", ["-c", `ulimit -n ${limit}; exec "$@"`, "sh", process.execPath, ...args], {
    encoding: "utf8",
    cwd: folder,
    env: { ...process.env, BARET_CACHE: join(folder, "cache") },
  });

test.each([24, 40, 60, 80, 100])("with at most %d open files, the command line says why it cannot start", (limit) => {
  const { status, stderr } = limited(limit, fileURLToPath(dist("cli/main.js")), "models");
  if (status !== 0) {
    expect(stderr).toMatch(/^baret cannot start: .*\n.*ulimit -n 1024.*\n$/);
    expect(status).toBe(1);
  }
});

test("without a free file descriptor, every file operation throws a typed error that names the reason", () => {
  const script = `
    import { openSync, closeSync, writeFileSync } from "node:fs";
    import * as baret from ${JSON.stringify(dist("index.js"))};
    import * as storage from ${JSON.stringify(dist("storage/node/index.js"))};
    writeFileSync("file.png", "x".repeat(100));
    const operations = {
      openLocal: async () => (await storage.openLocal("file.png")).read(0, 1),
      listFolder: async () => (await storage.openLocal(".")).list(),
      hashFile: () => storage.hashFile("file.png"),
      writeFileAtomic: () => storage.writeFileAtomic("new.png", "x"),
      checkWritable: () => storage.checkWritable("new.png"),
      cache: () => new storage.DiskCache().acquire({ kind: "test", of: 1 }, async () => undefined),
      lock: () => storage.lock("lock"),
      decodeImage: () => baret.decodeImage("file.png"),
      readPrepared: () => baret.readPrepared("file.png"),
      loadModel: () => baret.loadModel("menagerie"),
    };
    const taken = [];
    try { for (;;) taken.push(openSync("/dev/null")); } catch {}
    const results = {};
    for (const [name, operation] of Object.entries(operations)) {
      results[name] = await operation().then(
        () => "no error",
        (error) => (error instanceof baret.BaretError || error.code === "EMFILE" ? error.message : "untyped: " + error.stack),
      );
    }
    for (const one of taken) closeSync(one);
    console.log(JSON.stringify(results));
    process.exit();`;
  const { stdout, stderr } = limited(300, "--input-type=module", "-e", script);
  expect(stderr).toBe("");
  const results = JSON.parse(stdout) as Record<string, string>;
  const silent = Object.entries(results).filter(([, message]) => !/too many (open files|files open)/.test(message));
  expect(silent).toEqual([]);
  expect(Object.keys(results)).toHaveLength(10);
});

test("with few free file descriptors, a model is loaded, or a typed error names the reason", () => {
  const script = `
    import { openSync, closeSync } from "node:fs";
    import * as baret from ${JSON.stringify(dist("index.js"))};
    const model = ${JSON.stringify(fileURLToPath(new URL("../fixtures/tiny-sd1", import.meta.url)))};
    const taken = [];
    const results = [];
    for (let free = 0; free < 12; free++) {
      try { for (;;) taken.push(openSync("/dev/null")); } catch {}
      for (let one = 0; one < free; one++) closeSync(taken.pop());
      results.push(await baret.loadModel(model, { threads: 1 }).then(
        (loaded) => loaded.close().then(() => "loaded"),
        (error) => (error instanceof baret.BaretError ? error.message : "untyped: " + error.stack),
      ));
      while (taken.length > 0) closeSync(taken.pop());
    }
    console.log(JSON.stringify(results));
    process.exit();`;
  const { stdout, stderr } = limited(300, "--input-type=module", "-e", script);
  expect(stderr).toBe("");
  const results: string[] = JSON.parse(stdout);
  expect(results.filter((result) => result !== "loaded" && !/too many files open.*ulimit -n/.test(result))).toEqual([]);
  expect(results.filter((result) => /model cannot be started/.test(result)).length).toBeGreaterThan(0);
});
