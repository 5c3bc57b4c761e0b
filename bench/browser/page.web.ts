/** The page of the benchmark: a Worker edits, as in the page without a server, and the page's own thread is watched. */
import type { Platform } from "../../src/diffusion/index.ts";
import { startEngine } from "../../src/runtime/web/index.ts";
import { openFiles } from "../../src/storage/web/index.ts";
import { type Edited, type EditTask, oneEdit } from "./oneEdit.ts";

/** A task with the addresses of the model's files, by their paths in its folder. */
export interface PageTask extends EditTask {
  readonly files: Readonly<Record<string, string>>;
  readonly threads: number;
}

export interface PageResult extends Edited {
  /** The longest time in which the page's own thread did nothing else. */
  readonly longestBlockMs: number;
}

const unused = async (): Promise<never> => {
  throw new Error("the benchmark needs no other file");
};
const platform: Platform = { openModel: unused, decodePhoto: unused, merges: unused };

async function work({ files, threads, ...task }: PageTask): Promise<Edited> {
  const blobs = Object.entries(files).map(async ([path, url]) => [path, await (await fetch(url)).blob()] as const);
  const folder = openFiles("menagerie", new Map(await Promise.all(blobs)));
  return oneEdit(folder, platform, () => startEngine({ threads }), task);
}

/** Measures the delay of a timer until the returned function is called, which returns the longest. */
function watchThread(): () => number {
  let [longest, last] = [0, performance.now()];
  const EVERY_MS = 5;
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - EVERY_MS);
    last = now;
  }, EVERY_MS);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

const inPage = (task: PageTask): Promise<PageResult> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./page.js", import.meta.url), { type: "module" });
    const watched = watchThread();
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }: MessageEvent<{ edited?: Edited; failed?: string }>) => {
      worker.terminate();
      if (data.edited) resolve({ ...data.edited, longestBlockMs: watched() });
      else reject(new Error(data.failed));
    };
    worker.postMessage(task);
  });

if (globalThis.document) Object.assign(globalThis, { editInWorker: inPage });
else {
  globalThis.onmessage = ({ data }: MessageEvent<PageTask>) =>
    void work(data).then(
      (edited) => globalThis.postMessage({ edited }),
      (error: Error) => globalThis.postMessage({ failed: `${error.name}: ${error.message}` }),
    );
}
