import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import type { Engine } from "../../src/runtime/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { DiskCache } from "../../src/storage/node/index.ts";

export const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));

type Json = Record<string, unknown>;

/** Copies of model folders that a test may damage, and a cache. `close` removes all. */
export class Workplace {
  readonly root = mkdtempSync(join(tmpdir(), "baret-metrics-"));
  readonly cache = new DiskCache({ folder: join(this.root, "cache") });

  /** Copies a fixture's folder. changes: new contents of files, or undefined to remove one. */
  copy(name: string, changes: Record<string, Json | string | Uint8Array | undefined> = {}): string {
    const folder = mkdtempSync(join(this.root, `${name}-`));
    cpSync(join(fixtures, name), folder, { recursive: true });
    for (const [file, content] of Object.entries(changes)) {
      const path = join(folder, file);
      if (content === undefined) rmSync(path);
      else if (typeof content === "string" || content instanceof Uint8Array) writeFileSync(path, content);
      else writeFileSync(path, JSON.stringify(content));
    }
    return folder;
  }

  /** Leases of the cache's entries. */
  leases(): string[] {
    const folder = join(this.cache.folder, "leases");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  close(): void {
    rmSync(this.root, { recursive: true });
  }
}

export const readJson = (name: string): Json => JSON.parse(readFileSync(join(fixtures, name), "utf8"));

/** preprocessor_config.json that resizes to `size`. */
export const preprocessor = (size: number): Json => ({
  ...readJson("judge-tiny/preprocessor_config.json"),
  size: { shortest_edge: size },
  crop_size: { height: size, width: size },
});

/** Starts an engine for the tests of a file, with the cache of `place`. Closes both after them. */
export function useEngine(place: Workplace): { readonly engine: Engine } {
  let engine: Engine | undefined;
  beforeAll(async () => {
    engine = await startEngine({ threads: 1, cache: place.cache });
  });
  afterAll(async () => {
    await engine?.close();
    place.close();
  });
  return {
    get engine() {
      return engine!;
    },
  };
}
