import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../../src/runtime/node/index.ts";
import { DiskCache, openLocal } from "../../../src/storage/node/index.ts";
import type { Folder } from "../../../src/weights/index.ts";
import { fixturePath } from "../../support/files.ts";
import { type Kit, promises } from "./promises.ts";

describe("an engine in Node, cpu", () => {
  const folder = mkdtempSync(join(tmpdir(), "baret-contract-"));
  const start: Kit["start"] = (options) => startEngine({ cache: new DiskCache({ folder }), ...options });
  let kit: Kit;
  beforeAll(async () => {
    const kill: Kit["kill"] = async (engine) => {
      process.kill(engine.pid!, "SIGKILL");
      await expect.poll(() => engine.pid, { interval: 5 }).toBeUndefined();
    };
    const tinyModel = async (): Promise<Folder> => (await openLocal(fixturePath("tiny-sd1"))) as Folder;
    kit = { engine: await start(), start, kill, tinyModel, matmulsPerSecond: 50 };
  });
  afterAll(async () => {
    await kit.engine.close();
    rmSync(folder, { recursive: true });
  });
  for (const { name, keep, not } of promises) {
    test.skipIf(not?.cpu)(name, () => keep(kit));
  }
});
