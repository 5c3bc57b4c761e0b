import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { cp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { encodeSafetensors, encodeSafetensorsHead } from "../../src/weights/index.ts";
import { fixturePath } from "../support/files.ts";
import { noBrowser, titled } from "../support/needs.ts";
import type { PageServer } from "../support/pageServer.ts";
import { keys } from "../weights/helpers.ts";
import { accessProblems } from "./axe.ts";
import { chooseByInput, dialog, fill, openDialog, openWithout, result } from "./chosenModel.ts";
import { newVisitor, ready, serveSite, startEdit } from "./site.ts";

vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const files = mkdtempSync(join(tmpdir(), "baret-models-"));
/** A folder of diffusers with random weights. It also has values for tests, which are no part of a model. */
const tiny = join(files, "tiny-sd1");
/** The weights that an SDXL file and a Stable Diffusion file have, as far as they tell them apart. */
const sdxl = "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight";

/** A service worker would keep the scripts of Workers as they were. */
const noServiceWorker = { isolated: true, without: "/sw.js" };

/** A file with the names and shapes of Stable Diffusion 1.5 in float16. Only its header has bytes on the disk. */
function stableDiffusion(): string {
  const heads = Object.entries(keys["SD1.x"].original).map(([key, shape]) => [key, { dtype: "F16", shape }] as const);
  const { head } = encodeSafetensorsHead(Object.fromEntries(heads));
  const path = join(files, "sd15.safetensors");
  writeFileSync(path, head);
  truncateSync(path, head.length + heads.reduce((sum, [, { shape }]) => sum + shape.reduce((n, d) => n * d, 2), 0));
  return path;
}

/** Makes the page's dialogs return a folder or file of its own storage, which holds what is at `path`. Its handle is a real one. */
async function answerDialogs(page: Page, path: string): Promise<void> {
  const names = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const contents = await Promise.all(
    names.map(async ({ parentPath, name }) => {
      const bytes = await readFile(join(parentPath, name));
      return [join(parentPath, name).slice(path.length + 1), bytes.toString("base64")] as const;
    }),
  );
  await page.evaluate(async (all) => {
    let root = await (await navigator.storage.getDirectory()).getDirectoryHandle("disk", { create: true });
    root = await root.getDirectoryHandle("tiny-sd1", { create: true });
    for (const [at, text] of all) {
      const parts = at.split("/");
      let folder = root;
      for (const part of parts.slice(0, -1)) folder = await folder.getDirectoryHandle(part, { create: true });
      const writing = await (await folder.getFileHandle(parts.at(-1)!, { create: true })).createWritable();
      await writing.write(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
      await writing.close();
    }
    Object.assign(globalThis, { showDirectoryPicker: async () => root });
  }, contents);
}

describe.skipIf(noBrowser)(titled("a model from this disk, in the page without a server", noBrowser), () => {
  let host: PageServer;
  beforeAll(async () => {
    host = await serveSite({ isolated: true });
    await cp(fixturePath("tiny-sd1"), tiny, { recursive: true, filter: (name) => !name.includes("reference") });
  });
  afterAll(() => rmSync(files, { recursive: true, force: true }));

  test("a folder is recognised, tells its memory before it is loaded, edits on WebAssembly, and is there after a reload", async () => {
    const visitor = await newVisitor();
    const page = await visitor.open(host.origin);
    await ready(page);
    await answerDialogs(page, tiny);
    await openDialog(page);
    expect(await accessProblems(page)).toEqual([]);
    await page.getByRole("button", { name: "A folder of diffusers…" }).click();
    await page.getByRole("button", { name: "Load this model" }).waitFor();
    const told = (await dialog(page).allInnerTexts()).join();
    expect(told).toMatch(/a small model built like Stable Diffusion, a folder of diffusers/);
    expect(told).toMatch(/0\.2 million parameters, 1 MB on the disk as F32/);
    expect(told).toMatch(/the processor, by WebAssembly, .+ at most 4 GB of memory\. Not on a graphics card: .+/);
    expect(told).toMatch(/at 128 × 128 pixels about \d+ MB for BARET, .+, and \d+ MB for methods that tune nothing/);
    expect(await accessProblems(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByRole("button", { name: "Load this model" }).click();
    await dialog(page).waitFor({ state: "detached" });
    const models = page.getByLabel("Model", { exact: true });
    expect(await models.inputValue()).toMatch(/^tiny-sd1 \([0-9a-f]{8}\)$/);
    await fill(page, 2);
    await startEdit(page);
    await result(page);
    const named = await models.inputValue();
    await page.reload();
    await ready(page);
    await models.selectOption(named);
    await page.getByLabel("Steps", { exact: true }).fill("3");
    await startEdit(page);
    await result(page);
    const outside = visitor.requests.filter(
      (url) => !url.startsWith(host.origin) && !url.startsWith(`blob:${host.origin}`),
    );
    expect(outside).toEqual([]);
    expect(visitor.faults).toEqual([]);
  });

  test("a browser without handles: after a reload the edit waits until the folder is chosen again, and no other will do", async () => {
    const visitor = await newVisitor();
    const page = await openWithout(visitor, host.origin);
    await ready(page);
    await openDialog(page);
    await chooseByInput(page, "A folder of diffusers…", tiny);
    await page.getByRole("button", { name: "Load this model" }).click();
    await dialog(page).waitFor({ state: "detached" });
    await fill(page, 40);
    await startEdit(page);
    await page.getByText("Inverting the photo").first().waitFor();
    await page.reload();
    await page.getByText(/1 edit waits for the model tiny-sd1 \([0-9a-f]{8}\)\. Choose the model/).waitFor();
    expect(await accessProblems(page)).toEqual([]);
    await chooseByInput(page, "its folder", fixturePath("tiny-sd2"));
    await page.getByText(/this is another model, or it has changed/i).waitFor();
    await chooseByInput(page, "its folder", tiny);
    await page.locator(".queue-open").first().click();
    await page.getByText("attempt 2").first().waitFor();
    await result(page);
    await page.reload();
    await page.getByRole("button", { name: "forget it" }).click();
    await page.getByRole("button", { name: "forget it" }).waitFor({ state: "detached" });
    expect(await page.getByLabel("Model", { exact: true }).locator("option").allInnerTexts()).toEqual(["menagerie"]);
  });

  test("a browser that keeps handles and asks again: one click opens the model after a reload", async () => {
    const visitor = await newVisitor();
    let permission = "granted";
    const own = await serveSite({
      ...noServiceWorker,
      workerLine: () => `FileSystemHandle.prototype.queryPermission = async () => "${permission}";`,
    });
    await visitor.context.addInitScript(() => {
      Object.assign(FileSystemHandle.prototype, { requestPermission: async () => "granted" });
    });
    const page = await visitor.open(own.origin);
    await ready(page);
    await answerDialogs(page, tiny);
    await openDialog(page);
    await page.getByRole("button", { name: "A folder of diffusers…" }).click();
    await page.getByRole("button", { name: "Load this model" }).click();
    await dialog(page).waitFor({ state: "detached" });
    permission = "prompt";
    await page.reload();
    await page
      .getByText(/The browser needs your permission to read the model tiny-sd1 \([0-9a-f]{8}\) again/)
      .waitFor();
    const open = page.getByRole("button", { name: "Open it" });
    await open.click();
    await open.waitFor({ state: "detached" });
    expect(await page.locator(".problem").count()).toBe(0);
  });

  test("with a graphics card, Stable Diffusion's memory on it is told; small buffers of a card are told as the reason", async () => {
    const visitor = await newVisitor();
    let largest = 2 ** 30;
    const workerLine = (): string => {
      const limits = JSON.stringify({ maxBufferSize: 2 ** 31, maxStorageBufferBindingSize: largest });
      const info = JSON.stringify({ vendor: "a card", architecture: "", device: "", description: "" });
      const adapter = `{ info: ${info}, limits: ${limits}, features: new Set(["shader-f16"]) }`;
      return `Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => (${adapter}) } });`;
    };
    const own = await serveSite({ ...noServiceWorker, workerLine });
    const page = await openWithout(visitor, own.origin);
    await ready(page);
    await openDialog(page);
    await chooseByInput(page, "One file (.safetensors)…", stableDiffusion());
    await page.getByRole("button", { name: "Load this model" }).waitFor();
    const told = (await dialog(page).allInnerTexts()).join();
    expect(told).toMatch(/the graphics card, by WebGPU: a card/);
    expect(told).toMatch(/float16, and float32 for gradients/);
    // As docs/site.md says.
    expect(told).toMatch(/at 512 × 512 pixels about 7\.4 GB of the graphics card for BARET, .+, and 2\.2 GB/);
    largest = 2 ** 27;
    await page.reload();
    await ready(page);
    await openDialog(page);
    await chooseByInput(page, "One file (.safetensors)…", stableDiffusion());
    await dialog(page).getByText("a card has buffers of at most 128 MiB, and this model needs 145 MiB").waitFor();
    expect(await page.getByRole("button", { name: "Load this model" }).count()).toBe(0);
  });

  test("files that cannot be used are refused in plain words: SDXL, a broken file, text; Stable Diffusion without WebGPU", async () => {
    const visitor = await newVisitor();
    const page = await openWithout(visitor, host.origin);
    await ready(page);
    await openDialog(page);
    const path = (name: string, bytes: Uint8Array | string): string => {
      writeFileSync(join(files, name), bytes);
      return join(files, name);
    };
    const one = { dtype: "F32", shape: [1], data: new Float32Array(1) } as const;
    const whole = encodeSafetensors({ [sdxl]: one });
    const wrong: readonly (readonly [string, RegExp])[] = [
      [path("xl.safetensors", whole), /This is an SDXL checkpoint, with other text encoders/i],
      [path("cut.safetensors", whole.subarray(0, whole.length - 2)), /the safetensors file is damaged/i],
      [path("page.safetensors", "not a model but text"), /this is text, beginning with/i],
    ];
    for (const [file, words] of wrong) {
      await chooseByInput(page, "One file (.safetensors)…", file);
      await dialog(page).getByText(words).waitFor();
    }
    expect(await accessProblems(page)).toEqual([]);
    await chooseByInput(page, "One file (.safetensors)…", stableDiffusion());
    await dialog(page).getByText("Stable Diffusion 1.x, one file").waitFor();
    await dialog(page)
      .getByText(/An edit needs 4\.\d\d GB, and WebAssembly has 4\.29 GB\. .+ WebGPU/)
      .waitFor();
    expect(await page.getByRole("button", { name: "Load this model" }).count()).toBe(0);
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
  });
});
