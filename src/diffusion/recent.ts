/** Results of the last inputs, so that equal inputs are computed once. Inputs are told apart by a name and their bytes. */
export class Recent<T> {
  private readonly most: number;
  /** The last inputs, oldest first. */
  private entries: { readonly name: string; readonly input: Uint8Array; readonly result: T }[] = [];

  /** most: number of results to keep. */
  constructor(most: number) {
    this.most = most;
  }

  /** Returns the kept result of an equal input, or that of `compute`, which is kept. */
  async of(name: string, data: ArrayBufferView, compute: () => Promise<T>): Promise<T> {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const found = this.entries.find((one) => one.name === name && isEqual(one.input, bytes));
    // A copy, because the caller may change its array.
    const entry = found ?? { name, input: bytes.slice(), result: await compute() };
    const entries = [...this.entries.filter((one) => one !== entry), entry];
    this.entries = entries.slice(Math.max(0, entries.length - this.most));
    return entry.result;
  }

  clear(): void {
    this.entries = [];
  }
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, k) => x === b[k]);
