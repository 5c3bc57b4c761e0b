/** A child process, or a stream to it. Node does not end while one is referenced. */
interface Referenced {
  ref(): void;
  unref(): void;
}

/**
 * Lets a child process keep this one alive only while somebody needs it. Several may at once, such as a request and the end of the
 * child: the last one counts.
 */
export class KeepAlive {
  private readonly parts: () => readonly unknown[];
  private holders = 0;

  /** parts: the child and the streams to it, as they are now. Those that are gone may be null or undefined. */
  constructor(parts: () => readonly unknown[]) {
    this.parts = parts;
    this.change("unref");
  }

  /** Keeps this process alive until the returned function is called, also if an earlier holder lets go. */
  hold(): () => void {
    this.holders++;
    this.change("ref");
    return () => {
      this.holders--;
      if (this.holders === 0) this.change("unref");
    };
  }

  private change(to: "ref" | "unref"): void {
    for (const part of this.parts()) (part as Referenced | null | undefined)?.[to]();
  }
}
