import type { Page } from "playwright-core";
import type { Visitor } from "./site.ts";

/** The dialog in which a model is chosen. */
export const dialog = (page: Page) => page.getByRole("dialog");

/** Opens the page of a browser that has no handles of files, as Firefox and Safari. */
export async function openWithout(visitor: Visitor, url: string): Promise<Page> {
  await visitor.context.addInitScript("delete window.showOpenFilePicker; delete window.showDirectoryPicker;");
  return visitor.open(url);
}

/** Chooses a file or a folder by an element of the page. */
export async function chooseByInput(page: Page, button: string | RegExp, path: string): Promise<void> {
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: button }).click();
  await (await chooser).setFiles(path);
}

/** Opens the dialog in which a model is chosen. */
export const openDialog = (page: Page): Promise<void> =>
  page.getByRole("button", { name: "Choose a Stable Diffusion checkpoint…" }).click();

/** Takes the example photo and a prompt: a model that was chosen has no examples of prompts. */
export async function fill(page: Page, steps: number): Promise<void> {
  await page.getByRole("button", { name: "Use the example" }).click();
  await page.getByText("128 × 128", { exact: true }).waitFor();
  await page.locator("textarea").first().fill("a cat on the grass");
  await page.getByLabel("Method", { exact: true }).selectOption("plain");
  await page.getByLabel("Steps", { exact: true }).fill(`${steps}`);
}

/** The result's link, once it is there. */
export const result = (page: Page) => page.getByRole("link", { name: "Download PNG" }).waitFor({ timeout: 300_000 });
