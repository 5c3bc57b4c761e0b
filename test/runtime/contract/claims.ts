/** Claims of promises that are kept in Node and in a page, where Vitest's `expect` is not at hand. */

/** Text of a value: typed arrays as numbers. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part) => {
    if (ArrayBuffer.isView(part)) return [...(part as Float32Array)].map((x) => (Number.isFinite(x) ? x : `${x}`));
    return part;
  }) ?? "undefined";

const short = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

/** Throws unless both are the same, number by number. */
export function same(found: unknown, expected: unknown): void {
  const [a, b] = [textOf(found), textOf(expected)];
  if (a !== b) throw new Error(`found ${short(a)}, expected ${short(b)}`);
}

/** Throws unless `fact` is true. what: the fact in words. */
export function holds(fact: boolean, what: string): void {
  if (!fact) throw new Error(`not true: ${what}`);
}

type ErrorClass = new (...args: never[]) => Error;

/** Throws unless `work` rejects with an error of the class whose message fits. */
export async function rejects(work: Promise<unknown>, kind: ErrorClass, message = /./s): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error(`did not reject, expected ${kind.name}`);
  const fits = error instanceof kind && message.test(error.message);
  if (!fits) throw new Error(`rejected with ${short(String(error))}, expected ${kind.name} ${message}`);
}
