/** A page that keeps the promises of an engine. A test opens it and calls the functions that it puts on the window. */
import { startEngine, type WebEngineOptions } from "../../../src/runtime/web/index.ts";
import { openFiles } from "../../../src/storage/web/index.ts";
import type { Folder } from "../../../src/weights/index.ts";
import { type Kit, promises } from "./promises.ts";

interface Page {
  /** Starts the engine that promises share. tinyFiles: addresses of the tiny model's files by their paths. Returns what it says of itself. */
  openEngine(
    options: WebEngineOptions,
    matmulsPerSecond: number,
    tinyFiles: Readonly<Record<string, string>>,
  ): Promise<{ device: string; threads: number }>;
  keepPromise(name: string): Promise<void>;
  /** Starts an engine and closes it. Returns "runs", or its error. */
  outcomeOf(options: WebEngineOptions): Promise<string>;
}

/** The test's functions. */
declare const closeWorkers: () => Promise<void>;

/** Resolves when no engine's Worker lives, nor waits for its end. */
async function noWorkers(): Promise<void> {
  for (;;) {
    const { held = [], pending = [] } = await navigator.locks.query();
    if (![...held, ...pending].some(({ name }) => name?.startsWith("baret engine"))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let kit: Kit;
const page: Page = {
  openEngine: async (options, matmulsPerSecond, tinyFiles) => {
    const start: Kit["start"] = (own) => startEngine({ ...options, ...own });
    const engine = await start();
    const kill = async (): Promise<void> => {
      await closeWorkers();
      await noWorkers();
    };
    const tinyModel = async (): Promise<Folder> => {
      const blobs = Object.entries(tinyFiles).map(
        async ([path, url]) => [path, await (await fetch(url)).blob()] as const,
      );
      return openFiles("tiny-sd1", new Map(await Promise.all(blobs)));
    };
    kit = { engine, start, kill, tinyModel, matmulsPerSecond };
    return { device: engine.device, threads: engine.threads };
  },
  outcomeOf: (options) =>
    startEngine(options).then(
      async (engine) => {
        await engine.close();
        return "runs";
      },
      (error: Error) => `${error.name}: ${error.message}`,
    ),
  keepPromise: async (name) => promises.find((one) => one.name === name)!.keep(kit),
};
Object.assign(globalThis, page);
