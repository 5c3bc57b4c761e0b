/**
 * `npm run bench -- browser` makes one edit of the Menagerie in Chromium on WebAssembly, with one thread and with two, and in Node,
 * in turns. It prints times, their ratio, the distance of the pictures, and how long the page's thread was ever blocked.
 */
import { chromium, type Page } from "playwright-core";
import type { Picture } from "../../src/core/index.ts";
import { nodePlatform } from "../../src/diffusion/node/index.ts";
import { fitImage } from "../../src/image/index.ts";
import { decodeImage } from "../../src/image/node/index.ts";
import { psnr } from "../../src/metrics/index.ts";
import { startEngine } from "../../src/runtime/node/index.ts";
import { openLocal } from "../../src/storage/node/index.ts";
import { addressesOf, serveEnginePage } from "../../test/support/enginePage.ts";
import { chromiumPath } from "../../test/support/needs.ts";
import { median } from "../engine/measure.ts";
import { count, flag, readOptions, text, word } from "../options.ts";
import { type Edited, type EditTask, methodNames, oneEdit } from "./oneEdit.ts";

const MODEL = "checkpoints/menagerie";

/** A picture as text, which a page can take. */
interface Sent extends Omit<Picture, "data"> {
  readonly data: string;
}

type Result = Edited & { readonly longestBlockMs?: number };

async function inPage(page: Page, task: EditTask, threads: number): Promise<Result> {
  const files = addressesOf(MODEL);
  const { data, ...size } = task.picture;
  const picture: Sent = { ...size, data: Buffer.from(data).toString("base64") };
  const result = await page.evaluate(
    async (given) => {
      const bytes = Uint8Array.from(atob(given.picture.data), (c) => c.charCodeAt(0));
      type Edit = {
        editInWorker(task: object): Promise<{ picture: { width: number; height: number; data: Uint8Array } }>;
      };
      const edited = await (globalThis as unknown as Edit).editInWorker({
        ...given,
        picture: { ...given.picture, data: bytes },
      });
      let text = "";
      for (const byte of edited.picture.data) text += String.fromCharCode(byte);
      return { ...edited, picture: { ...edited.picture, data: btoa(text) } };
    },
    { ...task, picture, files, threads },
  );
  const own = new Uint8Array(Buffer.from(result.picture.data, "base64"));
  return { ...(result as unknown as Result), picture: { ...result.picture, data: own } };
}

async function inNode(task: EditTask, threads: number): Promise<Result> {
  return oneEdit(await openLocal(MODEL), nodePlatform, () => startEngine({ threads }), task);
}

const secondsOf = ({ prepareSeconds, editSeconds }: Result): number => prepareSeconds + editSeconds;

export async function main(args: readonly string[]): Promise<void> {
  const about = "Edits examples/dog.png with the Menagerie in Chromium and in Node, in turns, and compares both.";
  const options = {
    rounds: count("edits on each side, with each number of threads", 3),
    method: word(methodNames, "method, at fixed settings", "baret"),
    steps: count("sampling steps", 50),
    most: count("most threads", 2),
    calls: flag("also print the calls of each program"),
    target: text("PROMPT", "the target prompt", "a brown dog lying down on the grass"),
  };
  const { rounds, most, calls, ...asked } = readOptions("browser", about, options, args);
  const photo = await decodeImage("examples/dog.png");
  const task = { picture: fitImage(photo, { width: 128, height: 128, mode: "crop" }), ...asked };
  const served = await serveEnginePage("bench/browser/page.web.ts");
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const page = await browser.newPage();
    await page.goto(served.isolated);
    for (let threads = 1; threads <= most; threads++) {
      const sides: Record<"Node" | "Chromium", Result[]> = { Node: [], Chromium: [] };
      for (let round = 1; round <= rounds; round++) {
        sides.Node.push(await inNode(task, threads));
        sides.Chromium.push(await inPage(page, task, threads));
        for (const [side, results] of Object.entries(sides)) {
          const { prepareSeconds, editSeconds, calls: all } = results[round - 1];
          console.log(
            `threads ${threads}, round ${round}, ${side}: ${prepareSeconds.toFixed(1)} s + ${editSeconds.toFixed(1)} s`,
          );
          if (!calls) continue;
          for (const [name, one] of Object.entries(all)) {
            console.log(`  ${name}: ${one.calls} x ${((1000 * one.seconds) / one.calls).toFixed(1)} ms`);
          }
        }
      }
      const ratio = median(sides.Chromium.map(secondsOf)) / median(sides.Node.map(secondsOf));
      const distance = psnr(sides.Chromium[0].picture, sides.Node[0].picture);
      const blocked = Math.max(...sides.Chromium.map(({ longestBlockMs = 0 }) => longestBlockMs));
      console.log(
        `threads ${threads}: Chromium takes ${ratio.toFixed(2)} times Node's time (goal: at most 2.5); the pictures are ` +
          `${distance.toFixed(1)} dB apart (goal: at least 60); the page was blocked for at most ${blocked.toFixed(0)} ms (goal: 50)`,
      );
    }
  } finally {
    await browser.close();
    await served.close();
  }
}
