import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { givenValues, sweepValues } from "../../src/cli/methodOptions.ts";
import { baretProgram } from "../../src/cli/program.ts";
import { methodNamed } from "../../src/editing/index.ts";
import { type Job, type JobRequestInput, jobRequest, type MadePicture } from "../../src/server/api/index.ts";
import { commandOf } from "../../studio/src/view/command.ts";
import { editOf } from "../../studio/src/view/edits.ts";
import { passes } from "../../studio/src/view/filter.ts";
import { gridOf } from "../../studio/src/view/grid.ts";
import { optionText, settingsList, valueText } from "../../studio/src/view/settings.ts";
import { closeness, duration, slug } from "../../studio/src/view/words.ts";
import { capabilitiesWith } from "./capabilities.ts";

const capabilities = capabilitiesWith({ baret: { selfSteps: 0.4 } });
const common = { photo: "a".repeat(64), target: "a dog lying down" };
const request = (input: JobRequestInput) => jobRequest.parse(input);
const picture = { id: "b".repeat(64), width: 128, height: 128 };
const made = (name: string, settings: Record<string, unknown>): MadePicture => ({ name, picture, settings });

/** Returns the words that a shell makes of a command. */
const wordsOf = (command: string): string[] =>
  execFileSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" })
    .split("\0")
    .slice(0, -1);

/** Reads a command as the command line does, without running it. */
async function parsed(command: string) {
  const [, ...words] = wordsOf(command);
  const program = await baretProgram(words);
  const found = program.commands.find((one) => one.name() === words[0])!;
  found.action(() => undefined);
  await program.parseAsync(words, { from: "user" });
  return found;
}

const targets = ["a dog lying down", `it's a "dog" for $5 \`ls\``, "-o", "a\nb", "ein Hund, liegend; rm -rf /"];

describe("a copied command", () => {
  test.each(targets)("has the prompt %j as one word, and gives it to the program", async (target) => {
    const command = await parsed(commandOf(request({ ...common, kind: "edit", target }), capabilities));
    expect(command.args).toEqual(["photo.png", target]);
  });

  test("has the options of the request, and no others", async () => {
    const options = {
      alpha: [0.9, 0.2],
      selfSteps: 0.2,
      crossSteps: [0.1, 0.7],
      earlyStop: false,
      warmStart: true,
      nearestStart: true,
      replace: "kv",
      selfLayers: [0, 2],
      steps: 20,
    };
    const asked = request({ ...common, kind: "edit", method: "baret", options, fit: "pad", size: "64x64" });
    const command = await parsed(commandOf(asked, capabilities));
    const method = methodNamed("baret");
    const { warmStart, ...changed } = options;
    const given = { ...givenValues(command, method, "prepare"), ...givenValues(command, method, "edit") };
    const textual = (values: Record<string, unknown>) =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
    expect(textual(given)).toEqual(textual(changed));
    expect(command.opts()).toMatchObject({ fit: "pad", size: { width: 64, height: 64 }, model: "menagerie" });
  });

  test("of a sweep has the values of its axes", async () => {
    const axes = { alpha: [0.2, [0.8, 0.1]], replace: ["qk", "kv"] };
    const command = await parsed(commandOf(request({ ...common, kind: "sweep", axes }), capabilities));
    expect(sweepValues(command, methodNamed("baret")).axes).toEqual(axes);
  });

  test("of a comparison has its methods and their options", () => {
    const options = { sdedit: { strength: 0.7 } };
    const asked = request({ ...common, kind: "compare", methods: ["baret", "sdedit"], options });
    expect(commandOf(asked, capabilities)).toBe(
      'baret compare photo.png "a dog lying down" --methods baret,sdedit --set sdedit.strength=0.7 -o compare.png',
    );
  });

  test("names the model if it is not the usual one", () => {
    const asked = request({ ...common, kind: "attention", model: "sd1.5" });
    expect(commandOf(asked, capabilities)).toContain("--of edit --model sd1.5");
  });
});

describe("settings", () => {
  test("changed ones come first: those that differ from the model's own defaults, and given ones without a default", () => {
    const settings = {
      method: "baret",
      target: "x",
      size: "128x128",
      fit: "pad",
      alpha: [0.8, 0.1],
      selfSteps: [0, 0.4],
    };
    const list = settingsList(capabilities, "menagerie", { ...settings, crossSteps: 0.9, steps: 20 }, { steps: 20 });
    expect(list.filter(({ isChanged }) => isChanged).map(({ name }) => name)).toEqual(["fit", "crossSteps", "steps"]);
    expect(list.map(({ name }) => name).slice(3)).toEqual(["size", "alpha", "selfSteps"]);
  });

  test("have the texts of the command line, and words for people", () => {
    const baret = capabilities.methods[0];
    const option = (name: string) => baret.options.find((one) => one.name === name);
    expect(optionText(option("alpha"), [0.8, 0.1])).toBe("0.8:0.1");
    expect(optionText(option("selfLayers"), [0, 1])).toBe("0,1");
    expect(valueText(option("alpha"), [0.1 + 0.2, 0.1])).toBe("0.3:0.1");
    expect(valueText(option("earlyStop"), false)).toBe("off");
  });
});

describe("the edit of one picture", () => {
  test("of a comparison has the method and its options", () => {
    const asked = request({ ...common, kind: "compare", options: { sdedit: { strength: 0.7 } } });
    expect(editOf(asked, made("sdedit", {}))).toMatchObject({
      kind: "edit",
      method: "sdedit",
      options: { strength: 0.7 },
    });
  });

  test("of a sweep has the values of its axes beside the common options", () => {
    const asked = request({ ...common, kind: "sweep", options: { steps: 20 }, axes: { alpha: [0.1, 0.2] } });
    const { options } = editOf(asked, made("1", { alpha: 0.2, steps: 20, selfSteps: 0.3 }));
    expect(options).toEqual({ steps: 20, alpha: 0.2 });
  });

  test("of the strip keeps as much of the photo as it did", () => {
    const asked = request({ ...common, kind: "edit", options: { strength: "auto", steps: 20 } });
    expect(editOf(asked, { ...made("keep 0.5", {}), keep: 0.5 }).options).toEqual({ steps: 20, keep: 0.5 });
  });
});

describe("a sweep's table", () => {
  const writer = { nameOf: (name: string) => name, textOf: (_: string, value: unknown) => String(value) };

  test("has the last option as columns and all others as rows; a place without a picture stays empty", () => {
    const asked = request({ ...common, kind: "sweep", axes: { a: [1, 2], b: ["x", "y"], c: [5, 6, 7] } });
    if (asked.kind !== "sweep") throw new Error("no sweep");
    const grid = gridOf(asked, [made("0", {}), made("4", {})], 3, writer);
    expect(grid.columns).toEqual(["5", "6", "7"]);
    expect(grid.rows.map(({ head }) => head)).toEqual(["1, x", "1, y", "2, x", "2, y"]);
    expect(grid.rows[1].cells[1]).toEqual({ name: "4", label: "a 1, b y, c 6", made: made("4", {}) });
    expect(grid.rows[3].cells[2].made).toBeUndefined();
  });

  test("of a method's own sweep says in each cell what its row changes", () => {
    const asked = request({ ...common, kind: "sweep" });
    if (asked.kind !== "sweep") throw new Error("no sweep");
    const pictures = [
      made("0", { alpha: 0.9, self: 0.3 }),
      made("1", { alpha: 0.5, self: 0.3 }),
      made("2", { alpha: 0.8, self: 0.1 }),
      made("3", { alpha: 0.8, self: 0.2 }),
    ];
    const { rows, axes } = gridOf(asked, pictures, 2, writer);
    expect(axes).toBeUndefined();
    expect(rows.map(({ cells }) => cells.map(({ label }) => label))).toEqual([
      ["alpha 0.9", "alpha 0.5"],
      ["self 0.1", "self 0.2"],
    ]);
  });
});

test("the history is filtered by kind, method and model", () => {
  const job = (input: JobRequestInput, settings = {}): Job => ({
    id: "c".repeat(32),
    request: request(input),
    state: "done",
    created: "2026-01-01T00:00:00.000Z",
    attempts: 1,
    result: {
      pictures: [made("plain", {}), made("baret", {})],
      settings,
      reusedPreparation: false,
      warnings: [],
      seconds: 1,
    },
  });
  const edit = job({ ...common, kind: "edit", model: "sd1.5" }, { method: "baret" });
  const comparison = job({ ...common, kind: "compare" });
  const shown = (filter: Parameters<typeof passes>[1]) =>
    [edit, comparison].filter((one) => passes(one, filter, "menagerie"));
  expect(shown({})).toEqual([edit, comparison]);
  expect(shown({ kind: "compare" })).toEqual([comparison]);
  expect(shown({ method: "plain" })).toEqual([comparison]);
  expect(shown({ method: "baret" })).toEqual([edit, comparison]);
  expect(shown({ model: "menagerie" })).toEqual([comparison]);
  expect(shown({ model: "sd1.5", method: "plain" })).toEqual([]);
});

test("seconds, dB and names of files in plain words", () => {
  expect([0.42, 9.96, 59.6, 200, 7500].map(duration)).toEqual(["0.4 s", "10 s", "1 min", "3 min 20 s", "2 h 5 min"]);
  expect([null, 36, 25, 21, 3].map(closeness)).toEqual(["exactly", "very closely", "well", "roughly", "poorly"]);
  expect(slug('A dog, "lying" down!')).toBe("a-dog-lying-down");
  expect(slug("???")).toBe("picture");
});
