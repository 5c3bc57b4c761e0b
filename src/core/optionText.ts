// Values of options as text. Knows no schemas, so that a page can use it without them.

/** A file that an option named, as records hold it. sha256: of its content as it was used. */
export interface RecordedFile {
  readonly path: string;
  readonly sha256: string;
}

/** Tells if a setting names a file, as records hold it. */
export function isRecordedFile(value: unknown): value is RecordedFile {
  const isText = (text: unknown, most: number): boolean => typeof text === "string" && text.length <= most;
  if (typeof value !== "object" || value === null || !("path" in value) || !("sha256" in value)) return false;
  return value.path !== "" && isText(value.path, 4096) && isText(value.sha256, 200);
}

/** "selfSteps" → "self-steps". */
export const dashed = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** A decimal number as people write it. */
export const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Reads a number ("0.8"), a pair of numbers ("0.8:0.1") or a word. */
export function pairOrNumber(text: string): unknown {
  const parts = text.split(":");
  const numbers = parts.map((part) => (decimal.test(part) ? Number(part) : part));
  return numbers.length === 2 && numbers.every((part) => typeof part === "number") ? numbers : scalar(text);
}

const scalar = (text: string): unknown => (decimal.test(text) ? Number(text) : text);

/** Writes an option's value as text, from which `valueOfText` makes it again. isList: its value is always a list. */
export function textOfValue({ isList }: { readonly isList: boolean }, value: unknown): string {
  if (isRecordedFile(value)) return value.path;
  if (!Array.isArray(value)) return String(value);
  if (isList) return value.map((one) => textOfValue({ isList: false }, one)).join(",");
  if (value.length > 2 || value.some(Array.isArray)) return value.map((one) => textOfValue({ isList }, one)).join(",");
  return value.join(":");
}
