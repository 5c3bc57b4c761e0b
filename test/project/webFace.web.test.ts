import { expect, test } from "vitest";
import * as nodeEngine from "../../src/engine.ts";
import * as node from "../../src/index.ts";
import * as web from "../../src/web.ts";
import * as webEngine from "../../src/webEngine.ts";

/** Functions that need a folder on a disk. */
const onlyNode = ["readPrepared"];

test("a browser's face is Node's without what needs files", () => {
  const names = Object.keys(node).filter((name) => !onlyNode.includes(name));
  expect(Object.keys(web).sort()).toEqual(names.sort());
});

test("the engine's face has the same in a browser, but for what is there only", () => {
  const onlyThere = [
    "DiskCache",
    "availableMemory",
    "findModel",
    "listModels",
    "openLocal",
    "openMetrics",
    "peakMemory",
  ];
  const names = Object.keys(nodeEngine).filter((name) => !onlyThere.includes(name));
  expect(Object.keys(webEngine)).toEqual(expect.arrayContaining(names));
  expect(Object.keys(nodeEngine)).toEqual(expect.arrayContaining(onlyThere));
});

const [inWeb, inNode] = [web, node].map((face): ReadonlyMap<string, unknown> => new Map(Object.entries(face)));

test("what needs neither Node nor a browser is the same in both", () => {
  for (const name of ["UsageError", "attentionSheet", "generate", "methods", "pasteBack", "registerMethod"])
    expect(inWeb.get(name)).toBe(inNode.get(name));
});

test("the methods have the same functions in both", () => {
  for (const { name } of web.methods()) {
    const api = (of: ReadonlyMap<string, unknown>) =>
      [...of.values()].find(
        (value) => (value as { name?: string }).name === name && Object.hasOwn(value as object, "sweep"),
      );
    expect(Object.keys(api(inWeb) as object)).toEqual(Object.keys(api(inNode) as object));
  }
});

test("loadModel refuses wrong options, and names that are not the package's", async () => {
  await expect(
    web.loadModel("menagerie", { device: "cuda" as "cpu", threads: 0, precision: "half" as "auto" }),
  ).rejects.toThrow(/device.*threads.*precision: found "half", expected (one of )?float32, float16(, | or )auto/s);
  await expect(web.loadModel(7 as unknown as string)).rejects.toThrow(/expected a name, a file or a folder/);
  await expect(web.loadModel("sd1")).rejects.toThrow(/no such model.*menagerie.*give loadModel the folder/s);
});

test("loadModel opens a file that the user chose, and names it", async () => {
  const file = new File([new Uint8Array(64)], "mine.safetensors");
  await expect(web.loadModel(file)).rejects.toThrow(/^mine\.safetensors, header: not JSON/);
});

test("modelMemory says what is wrong with a folder or a file, before anything is loaded", async () => {
  const folder = { name: "mine", list: async () => [], open: () => Promise.reject(new Error("nothing is there")) };
  await expect(web.modelMemory(folder)).rejects.toThrow(/^mine: this folder is not a model/);
  await expect(web.modelMemory("menagerie", { device: "cuda" as "cpu" })).rejects.toThrow(/device/);
});
