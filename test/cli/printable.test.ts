import { expect, test } from "vitest";
import { oneLine, printable, printableJson } from "../../src/cli/printable.ts";

/** Every character that controls a terminal or changes the direction of the text. */
const commands = [
  ...[...Array(32).keys()].filter((code) => code !== 9 && code !== 10),
  ...Array.from({ length: 33 }, (_, i) => 0x7f + i),
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069],
].map((code) => String.fromCharCode(code));

test("every control character is replaced by a visible escape", () => {
  for (const command of commands) {
    for (const made of [printable, oneLine, printableJson]) {
      const text = made(`a${command}b`);
      expect(text).not.toContain(command);
      expect(text).toMatch(/a\\(x[0-9a-f]{2}|u[0-9a-f]{4}|[bfnrt])b/);
    }
  }
  expect(printable("\u001b[31mred\u001b[0m \u202egnp.exe")).toBe("\\x1b[31mred\\x1b[0m \\u202egnp.exe");
});

test("ordinary text of any language is unchanged", () => {
  const text = "a dog, ein Hund, 犬, собака, كلب, 🐕, é, tab\there\nnext line";
  expect(printable(text)).toBe(text);
  expect(oneLine("one\ntwo\tthree")).toBe("one\\ntwo\\tthree");
});

test("printable JSON has the same value", () => {
  const value = { name: commands.join(""), nested: ["\u202e", { "\u009b": 1 }] };
  expect(JSON.parse(printableJson(value))).toEqual(value);
});
