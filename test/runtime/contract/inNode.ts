import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../../src/runtime/node/index.ts";
import { DiskCache, openLocal } from "../../../src/storage/node/index.ts";
import type { Folder } from "../../../src/weights/index.ts";
import { fixturePath } from "../../support/files.ts";
import { noVulkan, ownGpu, softwareVulkan, titled } from "../../support/needs.ts";
import { closeKit, type Kit, promises } from "./promises.ts";

interface Case {
  readonly device: "cpu" | "webgpu";
  /** Default: those of the engine. */
  readonly threads?: number;
  /** Products of two 1024x1024 matrices in a second, about. */
  readonly matmulsPerSecond: number;
}

/** Declares a test for each promise of an engine in Node. */
export function keepsPromisesInNode({ device, threads, matmulsPerSecond }: Case): void {
  const lacking = device === "webgpu" ? noVulkan : undefined;
  const isSlow = device === "webgpu" && !ownGpu;
  const title = `an engine in Node, ${device}`;
  describe.skipIf(lacking)(titled(title, lacking), () => {
    const folder = mkdtempSync(join(tmpdir(), "baret-contract-"));
    const start: Kit["start"] = (options) =>
      startEngine({ cache: new DiskCache({ folder }), device, threads, ...options });
    let kit: Kit;
    beforeAll(async () => {
      if (device === "webgpu") Object.assign(process.env, softwareVulkan);
      const kill: Kit["kill"] = async (engine) => {
        process.kill(engine.pid!, "SIGKILL");
        await expect.poll(() => engine.pid, { interval: 5 }).toBeUndefined();
      };
      const tinyModel = async (): Promise<Folder> => (await openLocal(fixturePath("tiny-sd1"))) as Folder;
      kit = { engine: await start(), start, kill, tinyModel, matmulsPerSecond, isSlow };
    });
    afterAll(async () => {
      if (kit) await closeKit(kit);
      rmSync(folder, { recursive: true });
    });
    for (const { name, keep, not } of promises) {
      const reason = not?.[device];
      test.skipIf(reason)(titled(name, reason), { timeout: isSlow ? 600_000 : undefined }, () => keep(kit));
    }
  });
}
