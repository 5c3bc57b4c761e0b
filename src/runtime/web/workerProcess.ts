import { EngineError, type Work } from "../../core/index.ts";
import type { Answer, Reply, Request } from "../messages.ts";
import type { EngineProcess } from "../process.ts";
import type { WorkerAnswer, WorkerLoad, WorkerNews, WorkerRequest, WorkerSettings } from "./messages.ts";

let count = 0;

/** Returns the memory of bytes that a Worker may read while this thread does. */
const isShared = ({ buffer }: Uint8Array): boolean =>
  typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;

/** A module Worker that answers one request at a time. */
export class WorkerProcess implements EngineProcess {
  readonly pid = undefined;
  private readonly worker: Worker;
  private waiting:
    | { resolve: (answer: Answer) => void; reject: (error: Error) => void; onProgress: Work["onProgress"] }
    | undefined;
  private ended: EngineError | undefined;
  /** Resolves when the Worker is gone, if the page can notice it. */
  private gone: Promise<unknown> = Promise.resolve();
  private dropped: number[] = [];
  private lastLog = "";

  private constructor(worker: Worker) {
    this.worker = worker;
    worker.onmessage = ({ data }: MessageEvent<WorkerAnswer | WorkerNews>) => {
      if ("progress" in data) return this.waiting?.onProgress?.(data.progress);
      this.lastLog = data.log;
      this.waiting?.resolve(data);
      if (data.broken) this.stop(new EngineError("the Worker that runs the model can run nothing more"));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const found = event.message ?? "its script cannot be loaded";
      this.stop(new EngineError("the Worker that runs the model failed", { found }));
    };
  }

  /**
   * Starts a Worker. Returns its answer: "ready", or "failed" if the device cannot be opened. Throws EngineError if its script
   * cannot be loaded.
   */
  static async start(
    create: () => Worker,
    settings: Omit<WorkerSettings, "lock">,
  ): Promise<{ process: WorkerProcess; reply: Reply }> {
    const lock = `baret engine ${crypto.randomUUID()} ${count++}`;
    const process = new WorkerProcess(create());
    const { reply } = await process.answer(() => process.worker.postMessage({ ...settings, lock }));
    if (reply.kind === "ready") process.watch(lock);
    else process.kill();
    return { process, reply };
  }

  async request(
    request: Request,
    arrays: readonly Uint8Array[] = [],
    onProgress?: Work["onProgress"],
  ): Promise<Answer> {
    // The caller keeps its arrays, so a copy is moved. Posting a part of a buffer would copy all of it.
    const own = arrays.map((array) => (isShared(array) ? array : array.slice()));
    const message = { request: { ...request, drop: this.dropped } as Request<WorkerLoad>, arrays: own };
    this.dropped = [];
    const buffers = own.filter((array) => !isShared(array)).map(({ buffer }) => buffer as ArrayBuffer);
    return this.answer(() => this.worker.postMessage(message satisfies WorkerRequest, buffers), onProgress);
  }

  async log(): Promise<string> {
    return this.lastLog;
  }

  drop(resident: number): void {
    this.dropped.push(resident);
  }

  get isEnding(): boolean {
    return this.ended !== undefined;
  }

  kill(): void {
    this.stop(new EngineError("the Worker that runs the model was ended"));
  }

  async end(): Promise<void> {
    this.kill();
    await this.gone;
  }

  private async answer(send: () => void, onProgress?: Work["onProgress"]): Promise<Answer> {
    if (this.ended) throw this.ended;
    try {
      return await new Promise((resolve, reject) => {
        this.waiting = { resolve, reject, onProgress };
        send();
      });
    } finally {
      this.waiting = undefined;
    }
  }

  /** A Worker's lock becomes free when it has ended, for whatever reason. */
  private watch(lock: string): void {
    if (!navigator.locks) return;
    this.gone = navigator.locks.request(lock, () => {
      const advice = "Close other pages, or use a smaller picture or a smaller model.";
      this.stop(new EngineError("the Worker that runs the model ended", { advice }));
    });
  }

  private stop(reason: EngineError): void {
    this.ended ??= reason;
    this.worker.terminate();
    this.waiting?.reject(this.ended);
  }
}
