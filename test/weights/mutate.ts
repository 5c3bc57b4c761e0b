import type { Random } from "../../src/core/index.ts";

/** `depth` objects, one in another. */
const nested = (depth: number): unknown => (depth === 0 ? 1 : { deep: nested(depth - 1) });

/** Values that files should not hold where they hold something else. */
const nasty: readonly (() => unknown)[] = [
  ...[null, true, false, 0, -1, 1, 2, 3, 0.5, -0.25, 7, 1e9, 2 ** 31, 2 ** 53].map((x) => () => x),
  // Too large or too small for float32, for an array's length, or for a count.
  ...[1e308, -1e308, 5e-324, 3.5e38, 1e-46, 1e15, 1e7, 2 ** 32, 2 ** 63, 65_504.5].map((x) => () => x),
  ...["", " ", "a", "silu", "__proto__", "constructor", "\0", "\ud800", "é".repeat(300), "1", "../../x"].map(
    (x) => () => x,
  ),
  () => [],
  () => ({}),
  () => [0, 0],
  () => [[1], [2]],
  () => [null],
  () => ({ a: { b: [] } }),
  () => new Array(2000).fill(1),
  () => JSON.parse('{"__proto__": {"content": 1}}'),
  // What String() and a template literal throw at.
  () => ({ toString: 1 }),
  () => [{ toString: 1, valueOf: null }],
  () => ({ toJSON: 1, length: -1, constructor: null }),
  () => nested(20),
  () => nested(500),
  () => "x".repeat(100_000),
  () => "{:".repeat(20_000),
  () => new Array(30).fill("x".repeat(5000)),
];

type Holder = Record<string | number, unknown>;

/** Every place in a JSON value: what holds it, under which key. */
function places(root: Holder): [Holder, string | number][] {
  const found: [Holder, string | number][] = [];
  const visit = (holder: Holder): void => {
    for (const key of Array.isArray(holder) ? holder.keys() : Object.keys(holder)) {
      found.push([holder, key]);
      const value = holder[key];
      if (typeof value === "object" && value !== null) visit(value as Holder);
    }
  };
  visit(root);
  return found;
}

const keyOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value)).slice(0, 400);

/** A copy of a JSON value with one to three changes: a value, a key, a removal, an addition, a swap. */
export function mutateJson(value: unknown, random: Random): unknown {
  const root: Holder = { value: structuredClone(value) };
  for (let n = 1 + random.below(3); n > 0; n--) {
    const [holder, key] = random.pick(places(root));
    const old = holder[key];
    const set = (v: unknown) => {
      if (key === "__proto__") Object.defineProperty(holder, key, { value: v, enumerable: true, configurable: true });
      else holder[key] = v;
    };
    const [other, otherKey] = random.pick(places(root));
    const change = random.below(8);
    if (change <= 2) set(random.pick(nasty)());
    else if (change === 3 && typeof old === "number")
      set(random.pick([old + 1, old - 1, -old, old * 1000, old / 2, `${old}`]));
    else if (change === 3 && typeof old === "string")
      set(random.pick([old.slice(1), `${old}x`, old.toUpperCase(), [old]]));
    else if (change === 4 && holder !== root)
      Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key];
    else if (change === 5 && !Array.isArray(holder)) holder[keyOf(random.pick(nasty)())] = old;
    else if (change === 6 && Array.isArray(old)) old.push(random.pick(nasty)());
    else if (holder !== other) set(structuredClone(other[otherKey]));
  }
  return root.value;
}

const scraps = [
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "-",
  "9",
  "1e400",
  "null",
  "\\u0000",
  "\\ud800",
  "\n",
  " ",
  "[[[[",
  "\ufeff",
  "#",
  ":".repeat(5000),
  "{".repeat(5000),
  '{"a":'.repeat(2000),
  '"a":1,'.repeat(1000),
  "9".repeat(3000),
  "x".repeat(20_000),
];

/** The bytes of `text` with one to four of them changed, removed, repeated or added to. */
export function mutateText(text: string, random: Random): Uint8Array {
  const bytes = [...new TextEncoder().encode(text)];
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(bytes.length + 1);
    const length = random.below(12);
    const kind = random.below(5);
    if (kind === 0 && at < bytes.length) bytes[at] = random.below(256);
    else if (kind === 1) bytes.splice(at, length);
    else if (kind === 2) bytes.splice(at, 0, ...new TextEncoder().encode(random.pick(scraps)));
    else if (kind === 3) bytes.splice(at, 0, ...bytes.slice(at, at + length));
    else bytes.length = random.below(8) ? bytes.length : at;
  }
  return Uint8Array.from(bytes);
}
