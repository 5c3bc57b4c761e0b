/** A page that keeps the promises of an engine. A test opens it and calls the functions that it puts on the window. */
import { noise, type Progress, tensor } from "../../../src/core/index.ts";
import { input, linear, type Node, parameter } from "../../../src/graph/index.ts";
import { loadGraph } from "../../../src/runtime/index.ts";
import { startEngine, type WebEngineOptions } from "../../../src/runtime/web/index.ts";
import { openFile, openFiles, openStorage, writeFile } from "../../../src/storage/web/index.ts";
import { type Folder, readSafetensors } from "../../../src/weights/index.ts";
import { doubling, slow } from "./programs.ts";
import { type Kit, promises } from "./promises.ts";

interface Page {
  /** Starts the engine that promises share. tinyFiles: addresses of the tiny model's files by their paths. Returns what it says of itself. */
  openEngine(
    options: WebEngineOptions,
    matmulsPerSecond: number,
    tinyFiles: Readonly<Record<string, string>>,
  ): Promise<{ device: string; threads: number }>;
  keepPromise(name: string): Promise<void>;
  /**
   * Loses the device of an engine between two calls and during a call. Results are numbers, or messages of
   * errors.
   */
  outcomesOfLoss(options: WebEngineOptions): Promise<Record<"idle" | "resident" | "running" | "after", string>>;
  /** Starts an engine and closes it. Returns "runs", or its error. */
  outcomeOf(options: WebEngineOptions): Promise<string>;
  /**
   * Loads a program over the weights "a" [6, 8] and "b" [4, 6] of a safetensors file, and returns its result. changed: the file
   * is replaced before a Worker reads it.
   */
  productOf(file: readonly number[], options: WebEngineOptions, half: boolean, changed?: boolean): Promise<number[]>;
  /** Loads the same program, and returns what was told of the reading of its weights. */
  readingOf(file: readonly number[], options: WebEngineOptions): Promise<Progress[]>;
}

/** The test's functions. */
declare const closeWorkers: () => Promise<void>;
declare const loseDevice: () => Promise<void>;

/** Resolves when no engine's Worker lives, nor waits for its end. */
async function noWorkers(): Promise<void> {
  for (;;) {
    const { held = [], pending = [] } = await navigator.locks.query();
    if (![...held, ...pending].some(({ name }) => name?.startsWith("baret engine"))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Returns the result of a promise, or its error's message. */
const told = (work: Promise<string>): Promise<string> =>
  work.catch((error: Error) => `${error.name}: ${error.message}`);

/** A file with the weights "a" [6, 8], "b" [4, 6] and "c" [6] in the browser's storage. Returns a function that puts another in its place. */
async function storedWeights(bytes: readonly number[]) {
  const folder = await openStorage("weights");
  const write = (content: Uint8Array<ArrayBuffer>) => writeFile(folder, "w.safetensors", content);
  await write(Uint8Array.from(bytes));
  const file = await (await folder.getFileHandle("w.safetensors")).getFile();
  return { tensors: (await readSafetensors(openFile(file))).tensors, write };
}

/** Two linear layers over the weights of such a file. */
function product(): Record<string, Node> {
  const hidden = linear(input("x", [2, 8]), parameter("a", [6, 8]), parameter("c", [6]));
  return { y: linear(hidden, parameter("b", [4, 6])) };
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
    kit = { engine, start, kill, tinyModel, matmulsPerSecond, isSlow: options.software };
    return { device: engine.device, threads: engine.threads };
  },
  outcomesOfLoss: async (options) => {
    const engine = await startEngine(options);
    try {
      const [double, long] = [await engine.load(doubling(engine)), await engine.load(slow(engine))];
      const x = tensor([1, 3], Float32Array.of(1, 2, 3));
      const doubled = () => told(double.run({ x }).then(({ y }) => `${y.data}`));
      await doubled();
      const [kept] = await engine.put([x]);
      await loseDevice();
      const [idle, resident] = [await doubled(), await told(kept.read().then(({ data }) => `${data}`))];
      const running = told(long.run({ x: tensor([1024, 1024]) }).then(() => "it ended"));
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await loseDevice();
      return { idle, resident, running: await running, after: await doubled() };
    } finally {
      await engine.close();
    }
  },
  outcomeOf: (options) =>
    startEngine(options).then(
      async (engine) => {
        await engine.close();
        return "runs";
      },
      (error: Error) => `${error.name}: ${error.message}`,
    ),
  productOf: async (bytes, options, half, changed = false) => {
    const { tensors, write } = await storedWeights(bytes);
    const engine = await startEngine(options);
    try {
      const weights = await engine.mapWeights(tensors);
      if (changed) await write(new Uint8Array(8));
      const session = await loadGraph(engine, product(), { name: "product", weights, half });
      return [...(await session.run({ x: tensor([2, 8], noise([2, 8], 1).data) })).y.data];
    } finally {
      await engine.close();
    }
  },
  readingOf: async (bytes, options) => {
    const { tensors } = await storedWeights(bytes);
    const engine = await startEngine(options);
    const told: Progress[] = [];
    try {
      const load = { onProgress: (progress: Progress) => void told.push(progress) };
      await loadGraph(engine, product(), { name: "product", weights: await engine.mapWeights(tensors), load });
      return told;
    } finally {
      await engine.close();
    }
  },
  keepPromise: async (name) => promises.find((one) => one.name === name)!.keep(kit),
};
Object.assign(globalThis, page);
