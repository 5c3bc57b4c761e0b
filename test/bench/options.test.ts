import { expect, test, vi } from "vitest";
import { count, flag, readOptions, text, word, words } from "../../bench/options.ts";
import { UsageError } from "../../src/core/index.ts";

const options = {
  model: text("NAME", "the model", "small"),
  python: text("FILE", "a Python"),
  runs: count("timed runs", 3),
  only: word(["quality", "speed"], "one of the two"),
  kinds: words(["pose", "colour"], "kinds of pairs"),
  quick: flag("a small one"),
};
const read = (...args: string[]) => readOptions("edits", "Edits pairs.", options, args);

test("options that are not given have their defaults", () => {
  expect(read()).toEqual({
    model: "small",
    python: undefined,
    runs: 3,
    only: undefined,
    kinds: ["pose", "colour"],
    quick: false,
  });
});

test("options are read as what they are", () => {
  const given = ["--runs=5", "--only", "speed", "--kinds", "pose", "--quick"];
  expect(read(...given)).toMatchObject({ runs: 5, only: "speed", kinds: ["pose"], quick: true });
});

test("everything that is wrong is said at once, in one error", () => {
  const wrong = ["--runs", "0", "--only", "both", "--kinds", "pose,size", "--quick=1", "--fast", "stray"];
  expect(() => read(...wrong, "--model")).toThrow(UsageError);
  expect(() => read(...wrong, "--model")).toThrow(
    [
      "  --runs 0: expected a whole number from 1 on",
      "  --only both: expected quality, speed",
      "  --kinds pose,size: expected pose, colour",
      "  --quick: expected no value",
      "  --fast: there is no such option",
      "  stray: not an option",
      "  --model: expected NAME.",
      "See: npm run bench -- edits --help",
    ].join("\n"),
  );
});

test("--help says what the benchmark does, and every option with its default", () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  expect(() => read("--help", "--nonsense")).toThrow("exit 0");
  const [[printed]] = log.mock.calls;
  expect(printed).toContain("Edits pairs.");
  expect(printed).toMatch(/--runs N +timed runs \(default: 3\)/);
  expect(printed).toMatch(/--only quality\|speed +one of the two/);
  for (const name of Object.keys(options)) expect(printed).toContain(`--${name}`);
  log.mockRestore();
  exit.mockRestore();
});
