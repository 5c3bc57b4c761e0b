import type { News } from "../../../src/server/page/news.ts";
import type { Answer, Call } from "../../../src/server/page/protocol.ts";
import type { WorkerCalls } from "../../../src/server/web/messages.ts";
import { errorOf } from "../failure.ts";

type Method = keyof WorkerCalls & string;
type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

/** Calls the methods of a worker, and hears its news. The page does none of the work. */
export class Calls {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly hearers = new Set<(news: News) => void>();
  private last = 0;
  private ended: Error | undefined;

  constructor(worker: Worker) {
    this.worker = worker;
    worker.addEventListener("message", ({ data }: MessageEvent<Answer | News>) => this.take(data));
    worker.addEventListener("error", ({ message }) => {
      this.ended = errorOf({ code: "engine", message: `The page's worker stopped: ${message}\nReload the page.` });
      for (const { reject } of this.waiting.values()) reject(this.ended);
      this.waiting.clear();
    });
  }

  /** Calls a method. Rejects with BackendError. */
  ask<M extends Method>(method: M, ...args: Parameters<WorkerCalls[M]>): ReturnType<WorkerCalls[M]> {
    const id = ++this.last;
    const answered = new Promise<unknown>((resolve, reject) => {
      if (this.ended) throw this.ended;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, method, args } satisfies Call<WorkerCalls>);
    });
    return answered as ReturnType<WorkerCalls[M]>;
  }

  /** Calls `hear` with all news. Returns a function that ends it. */
  listen(hear: (news: News) => void): () => void {
    this.hearers.add(hear);
    return () => this.hearers.delete(hear);
  }

  private take(said: Answer | News): void {
    if ("news" in said) {
      for (const hear of this.hearers) hear(said);
      return;
    }
    const waiting = this.waiting.get(said.id);
    this.waiting.delete(said.id);
    if ("failure" in said) waiting?.reject(errorOf(said.failure));
    else waiting?.resolve(said.value);
  }
}
