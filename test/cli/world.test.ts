import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { StorageError } from "../../src/core/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { openLocalFile } from "../../src/storage/node/index.ts";
import { readSafetensors } from "../../src/weights/index.ts";
import { isHeldOutScene, type Pair, type Scene } from "../../src/world/index.ts";
import { writeShards } from "../../src/world/node/index.ts";
import { Workplace } from "../support/cli.ts";

const here = new Workplace();
afterAll(here.remove);

const scenes = (folder: string): Scene[] =>
  readFileSync(here.path(folder, "00000.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).scene);

test("render and sheet write pictures", async () => {
  const scene = ["--animal", "horse", "--pose", "jumping", "--colour", "brown", "--place", "beach", "--size", "32"];
  const one = await here.baret(["world", "render", ...scene, "-o", "horse.png"]);
  expect(one).toMatchObject({ code: 0, stdout: expect.stringContaining("brown horse jumping") });
  expect(await decodeImage(here.path("horse.png"))).toMatchObject({ width: 32, height: 32 });
  const sheet = await here.baret(["world", "sheet", "--count", "4", "--size", "16", "-o", "sheet.png", "--quiet"]);
  expect(sheet).toMatchObject({ code: 0, stdout: "sheet.png\n" });
});

test("shards contain the requested scenes; finished ones are kept, and another set in the same folder is refused", async () => {
  const set = ["world", "shards", "--split", "validation", "--held-out", "--size", "8", "--workers", "1", "--quiet"];
  const made = await here.baret([...set, "--count", "6", "-o", "left-out"]);
  expect(made).toMatchObject({ code: 0, stdout: "left-out: 1 shards written\n" });
  expect(scenes("left-out")).toHaveLength(6);
  expect(scenes("left-out").every(isHeldOutScene)).toBe(true);
  const file = await readSafetensors(await openLocalFile(here.path("left-out", "00000.safetensors")));
  expect(file.tensors.get("images")).toMatchObject({ dtype: "U8", shape: [6, 8, 8, 3] });
  const again = await here.baret([...set, "--count", "6", "-o", "left-out"]);
  expect(again.stdout).toBe("left-out: 0 shards written\n");
  const other = [
    "world",
    "shards",
    "--split",
    "validation",
    "--size",
    "8",
    "--count",
    "6",
    "-o",
    "left-out",
    "--quiet",
  ];
  const refused = await here.baret(other);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("the folder holds another set") });
  rmSync(here.path("left-out"), { recursive: true });
});

test("a grown set has the bytes of one made at that size; shrinking it and a damaged set.json are refused", async () => {
  const held = { split: "validation", seed: 0, size: 8, combinations: "seen" } as const;
  const make = (count: number, folder: string) => writeShards({ ...held, count }, here.path(folder), 1);
  const bytes = (folder: string) =>
    ["00000.safetensors", "00000.jsonl", "00001.safetensors", "00001.jsonl"].map((name) =>
      readFileSync(here.path(folder, name)),
    );
  expect(await make(3, "grown")).toBe(1);
  expect(await make(502, "grown")).toBe(2);
  expect(await make(502, "whole")).toBe(2);
  expect(bytes("grown")).toEqual(bytes("whole"));
  for (const count of [3, 500])
    await expect(make(count, "grown")).rejects.toThrow(/holds more of this set: found .*502/);
  expect(await make(502, "grown")).toBe(0);
  expect(bytes("grown")).toEqual(bytes("whole"));
  for (const damaged of ["", "{", '{"split":"validation"}']) {
    writeFileSync(here.path("grown", "set.json"), damaged);
    await expect(make(502, "grown")).rejects.toThrow(StorageError);
  }
});

test("held-out combinations are refused for training", async () => {
  const made = await here.baret(["world", "shards", "--held-out", "--count", "4", "-o", "train", "--quiet"]);
  expect(made).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("held-out combinations are not for training"),
  });
});

test("a set of portraits differs from a set of all scenes", async () => {
  const set = ["world", "shards", "--count", "4", "--size", "8", "--workers", "1", "-o", "portraits", "--quiet"];
  expect(await here.baret([...set, "--portraits"])).toMatchObject({ code: 0 });
  expect(scenes("portraits").every((scene) => scene.framing === "portrait")).toBe(true);
  const mixed = await here.baret(set);
  expect(mixed).toMatchObject({ code: 1, stderr: expect.stringContaining("the folder holds another set") });
  const both = await here.baret([...set, "--portraits", "--split", "validation", "--held-out"]);
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("no portrait is a held-out combination") });
});

test("--edition 2 gives the second edition; sets of the first edition do not state theirs", async () => {
  const set = ["world", "shards", "--count", "3", "--size", "8", "--workers", "1", "--quiet"];
  expect(await here.baret([...set, "--edition", "2", "-o", "second"])).toMatchObject({ code: 0 });
  expect(scenes("second").map(({ edition }) => edition)).toEqual([2, 2, 2]);
  expect(await here.baret([...set, "--edition", "1", "-o", "first"])).toMatchObject({ code: 0 });
  expect(scenes("first").every((scene) => !("edition" in scene))).toBe(true);
  expect(readFileSync(here.path("first", "set.json"), "utf8")).not.toContain("edition");
  const mixed = await here.baret([...set, "-o", "second"]);
  expect(mixed).toMatchObject({ code: 1, stderr: expect.stringContaining("the folder holds another set") });
  const unknown = await here.baret([...set, "--edition", "3", "-o", "third"]);
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('--edition: found "3", expected 1 or 2') });
  const one = await here.baret(["world", "render", "--animal", "cat", "--edition", "2", "--json", "-o", "cat.png"]);
  expect(JSON.parse(one.stdout).scene).toMatchObject({ animal: "cat", edition: 2 });
});

test("pairs of the second edition have names of their own", async () => {
  const asked = ["world", "pairs", "--set", "tuning", "--edition", "2", "--size", "8", "-o", "pairs", "--quiet"];
  expect(await here.baret(asked)).toMatchObject({ code: 0 });
  const pairs: Pair[] = JSON.parse(readFileSync(here.path("pairs", "pairs.json"), "utf8"));
  expect(pairs).toHaveLength(60);
  expect(pairs[7]).toMatchObject({ name: "tuning-2-007", before: { edition: 2 }, after: { edition: 2 } });
  expect(await decodeImage(here.path("pairs", "tuning-2-007-mask.png"))).toMatchObject({ width: 8, height: 8 });
});
