import { CheckpointError } from "../core/index.ts";
import { type ByteSource, readWhole } from "./source.ts";

const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;
const [OPENING_BRACKET, CLOSING_BRACKET] = [91, 93];
const [OPENING_BRACE, CLOSING_BRACE] = [123, 125];
const [CAPITAL_I, CAPITAL_N] = [73, 78];

/** Only so many repeated keys are collected, so that a text of nothing else stays cheap. */
const MAX_DUPLICATES = 10;

/** NaN, Infinity and -Infinity where a value begins and no key: Python's json writes them, though JSON has no such numbers. */
const NON_FINITE = /(?<=[\s:,[]-?|^-?)(?:Infinity|(?<!-)NaN)(?![\w.]|\s*:)/y;

/** Result of scanning a text. */
interface Scan {
  /** The first keys that one object names twice. */
  readonly duplicates: readonly string[];
  /** Positions of the numbers that only Python's JSON has. */
  readonly nonFinite: readonly number[];
}

/**
 * Looks for what JSON.parse does not report: deep nesting, repeated keys and Python's numbers. Reads each character once,
 * with memory bounded by the text's length. Throws CheckpointError if brackets are nested deeper than `maxDepth`.
 */
function scan(text: string, where: string, maxDepth: number): Scan {
  /** Keys of each open object; undefined for an array, and for an object without keys so far. */
  const open: (Set<string> | undefined)[] = [];
  const duplicates = new Set<string>();
  const nonFinite: number[] = [];
  /** The last string; it is a key if a colon follows. */
  let string: { from: number; to: number } | undefined;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const from = i++;
      while (i < text.length && text.charCodeAt(i) !== QUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
      string = { from, to: i + 1 };
    } else if (c === COLON) {
      if (string && open.length > 0 && duplicates.size < MAX_DUPLICATES) {
        const key = unquoted(text.slice(string.from, string.to));
        const keys = open[open.length - 1] ?? new Set();
        if (keys.has(key)) duplicates.add(key);
        open[open.length - 1] = keys.add(key);
      }
      string = undefined;
    } else if (c === OPENING_BRACE || c === OPENING_BRACKET) {
      if (open.push(undefined) > maxDepth) {
        throw new CheckpointError("JSON is nested too deeply", {
          where,
          found: `${open.length} levels at position ${i}`,
          expected: `at most ${maxDepth}`,
        });
      }
    } else if (c === CLOSING_BRACE || c === CLOSING_BRACKET) {
      open.pop();
    } else if (c === CAPITAL_I || c === CAPITAL_N) {
      NON_FINITE.lastIndex = i;
      if (NON_FINITE.test(text)) nonFinite.push(i);
    }
  }
  return { duplicates: [...duplicates], nonFinite };
}

/** Private characters: one that a text does not hold can stand for something else. */
const [FIRST_PRIVATE, LAST_PRIVATE] = [0xe000, 0xf8ff];

/** Parses JSON in which Python's numbers stand at `places`. Every position in the text stays, also in the parser's errors. */
function parseWith(text: string, places: readonly number[]): unknown {
  if (places.length === 0) return JSON.parse(text);
  let code = FIRST_PRIVATE;
  while (code < LAST_PRIVATE && text.includes(String.fromCharCode(code))) code++;
  const notANumber = String.fromCharCode(code);
  const pieces = places.map((at, k) => {
    const isNone = text.charCodeAt(at) === CAPITAL_N;
    const rest = text.slice(at + (isNone ? 3 : 8), places[k + 1] ?? text.length);
    // Too large for a double: the parser makes it infinite.
    return `${isNone ? `"${notANumber}"` : "1e999   "}${rest}`;
  });
  const finite = text.slice(0, places[0]) + pieces.join("");
  return JSON.parse(finite, (_, value) => (value === notANumber ? Number.NaN : value));
}

/** Returns the position at which the JSON parser stopped, if it says so; not its whole message, which repeats the file's text. */
function placeOf(error: unknown): string {
  const [place] = /at position \d+|end of JSON input/.exec(String(error)) ?? [];
  return place ? `, ${place}` : "";
}

function unquoted(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}

/**
 * Parses UTF-8 JSON that nobody vouches for, with the NaN and Infinity that Python's json writes. Throws CheckpointError if
 * it is not UTF-8, is not JSON, is nested deeper than `maxDepth`, or names a key of one object twice (JSON.parse would keep
 * the last one without a word).
 */
export function parseJson(bytes: Uint8Array, where: string, maxDepth = 32): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CheckpointError("the text is not UTF-8", { where, cause });
  }
  const { duplicates, nonFinite } = scan(text, where, maxDepth);
  let value: unknown;
  try {
    value = parseWith(text, nonFinite);
  } catch (cause) {
    throw new CheckpointError(`not JSON${placeOf(cause)}`, { where });
  }
  if (duplicates.length) {
    const keys = duplicates.map((key) => JSON.stringify(key.slice(0, 80)));
    throw new CheckpointError(`JSON names a key twice: ${keys.join(", ")}`, { where });
  }
  return value;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads a JSON file that holds an object. Throws CheckpointError if it does not, or has more than `maxBytes`. */
export async function readJsonObject(source: ByteSource, maxBytes = 4 << 20): Promise<Record<string, unknown>> {
  const value = parseJson(await readWhole(source, maxBytes), source.name);
  if (!isObject(value)) throw new CheckpointError("not a JSON object", { where: source.name });
  return value;
}
