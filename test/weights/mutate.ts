import type { Random } from "../../src/core/index.ts";

/** `inner` in that many lists or objects. */
function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
}

/** Values that files should not hold where they hold something else. */
const nasty: readonly (() => unknown)[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1,
    2,
    3,
    0.5,
    -0.25,
    7,
    1e9,
    2 ** 31,
    2 ** 53,
    1e15,
    1e308,
    -1e308,
    1e39,
    1e-46,
    5e-324,
  ].map((x) => () => x),
  ...[
    "",
    " ",
    "a",
    "silu",
    "__proto__",
    "constructor",
    "\0",
    "\ud800",
    "é".repeat(300),
    "1",
    "../../x",
    "x".repeat(1e5),
    ":".repeat(1e4),
  ].map((x) => () => x),
  () => [],
  () => ({}),
  () => [0, 0],
  () => [[1], [2]],
  () => [null],
  () => ({ a: { b: [] } }),
  () => ({ toString: 1 }),
  () => ({ toString: null, valueOf: "x", toJSON: 1, length: 3 }),
  () => ({ content: { toString: 1 } }),
  () => [{ toString: 1 }, { toString: 1 }],
  () => nested(20, (inner) => [inner]),
  () => nested(500, (inner) => ({ inner })),
  () => new Array(2000).fill(1),
  () => JSON.parse('{"__proto__": {"content": 1}}'),
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
      set(random.pick([old + 1, old - 1, -old, old * 1000, old / 2, old * 1e40, old / 1e50, `${old}`]));
    else if (change === 3 && typeof old === "string")
      set(random.pick([old.slice(1), `${old}x`, old.toUpperCase(), [old]]));
    else if (change === 4 && holder !== root)
      Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key];
    else if (change === 5 && !Array.isArray(holder)) holder[JSON.stringify(random.pick(nasty)()).slice(0, 400)] = old;
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
  "1e308",
  "1e-320",
  '{"toString":1}',
  ":".repeat(2e4),
  "{".repeat(2e4),
  "[".repeat(2e4),
  '{"a":'.repeat(5000),
  '"a":1,'.repeat(3000),
  "x".repeat(2e4),
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
