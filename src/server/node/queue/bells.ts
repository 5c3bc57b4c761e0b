/** Waits for rings. A ring between two waits is not missed. */
export interface Waiter {
  /** Resolves at the next ring, after `ms`, or if `signal` aborts. Returns the names that rang. */
  wait(ms: number, signal?: AbortSignal): Promise<ReadonlySet<string>>;
  close(): void;
}

/** Wakes waiters by name. */
export class Bells {
  private readonly waiters = new Map<string, Set<(name: string) => void>>();

  ring(name: string): void {
    for (const wake of this.waiters.get(name) ?? []) wake(name);
  }

  ringAll(): void {
    for (const name of this.waiters.keys()) this.ring(name);
  }

  hear(...names: readonly string[]): Waiter {
    let rang = new Set<string>();
    let wakeUp = (): void => undefined;
    const wake = (name: string): void => {
      rang.add(name);
      wakeUp();
    };
    for (const name of names) this.waiters.set(name, (this.waiters.get(name) ?? new Set()).add(wake));
    return {
      wait: async (ms, signal) => {
        if (rang.size === 0 && !signal?.aborted) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, ms);
            wakeUp = () => {
              clearTimeout(timer);
              resolve();
            };
            signal?.addEventListener("abort", wakeUp, { once: true });
          });
          signal?.removeEventListener("abort", wakeUp);
          wakeUp = () => undefined;
        }
        const names = rang;
        rang = new Set();
        return names;
      },
      close: () => {
        for (const name of names) {
          const others = this.waiters.get(name);
          others?.delete(wake);
          if (others?.size === 0) this.waiters.delete(name);
        }
      },
    };
  }
}
