import { CheckpointError } from "../core/index.ts";
import type { ByteSource } from "./source.ts";

const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;

interface Scan {
  depth: number;
  duplicates: string[];
}

/** Nesting depth and repeated keys of a JSON text, without building its value. Terminates on any text. */
function scan(text: string): Scan {
  const open: (Set<string> | undefined)[] = [];
  const duplicates: string[] = [];
  let depth = 0;
  let lastString = "";
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const start = i++;
      while (i < text.length && text.charCodeAt(i) !== QUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
      lastString = text.slice(start, i + 1);
    } else if (c === COLON) {
      const keys = open.at(-1);
      const key = unquoted(lastString);
      if (keys?.has(key)) duplicates.push(key);
      keys?.add(key);
    } else if (c === 123 || c === 91) {
      open.push(c === 123 ? new Set() : undefined);
      depth = Math.max(depth, open.length);
    } else if (c === 125 || c === 93) {
      open.pop();
    }
  }
  return { depth, duplicates };
}

/** Where the JSON parser stopped, as far as it says so; not its whole message, which repeats what the file holds. */
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
 * The value of UTF-8 JSON that nobody vouches for. Throws CheckpointError where it is not UTF-8 or not JSON, is nested
 * deeper than `maxDepth`, or names a key of one object twice (which JSON.parse would let pass, keeping the last).
 */
export function parseJson(bytes: Uint8Array, where: string, maxDepth = 32): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CheckpointError("the text is not UTF-8", { where, cause });
  }
  const { depth, duplicates } = scan(text);
  if (depth > maxDepth) {
    throw new CheckpointError("JSON is nested too deeply", {
      where,
      found: `${depth} levels`,
      expected: `${maxDepth}`,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`not JSON${placeOf(cause)}`, { where });
  }
  if (duplicates.length) {
    const keys = [...new Set(duplicates)].slice(0, 10).map((k) => JSON.stringify(k));
    throw new CheckpointError(`JSON names a key twice: ${keys.join(", ")}`, { where });
  }
  return value;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A whole JSON file that holds an object. Throws CheckpointError, also where it has more than `maxBytes`. */
export async function readJsonObject(source: ByteSource, maxBytes = 4 << 20): Promise<Record<string, unknown>> {
  if (source.size > maxBytes) {
    throw new CheckpointError("too long for what it should be", {
      where: source.name,
      found: `${source.size} bytes`,
      expected: `at most ${maxBytes}`,
    });
  }
  const value = parseJson(await source.read(0, source.size), source.name);
  if (!isObject(value)) throw new CheckpointError("not a JSON object", { where: source.name });
  return value;
}
