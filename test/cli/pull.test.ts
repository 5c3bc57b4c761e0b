import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findModel, openLocal } from "../../src/storage/node/index.ts";
import { openCheckpoint } from "../../src/weights/index.ts";
import {
  cache,
  hub,
  isUnet,
  large,
  largeUnet,
  missingOfLarge,
  needed,
  pathsIn,
  placed,
  pull,
  root,
  staged,
  starts,
  tinyFolder,
  useHub,
} from "../storage/hub.ts";
import { commitOf } from "../support/hub.ts";

useHub(large);

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

interface Ended {
  out: string;
  err: string;
  code: number | null;
}

/** Starts `baret pull ...` as a process of its own. */
function start(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  mkdirSync(cache(), { recursive: true });
  const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_TOKEN: "", BARET_CACHE: cache(), XDG_CACHE_HOME: root };
  const child = spawn(process.execPath, [main, "pull", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const ended = Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { child, ended: ended.then(([out, err, code]) => ({ out, err, code })) };
}
const run = (...args: string[]): Promise<Ended> => start(...args).ended;

/** Lets the hub send half of the U-Net's weights, then nothing. Resolves when the client has written that half to disk. */
function sendHalf(): Promise<void> {
  const half = largeUnet.length / 2;
  return new Promise((resolve) => {
    hub.disturb = (request, response, content) => {
      if (!isUnet(request)) return false;
      response.writeHead(200, { "Content-Length": content.length }).write(content.subarray(0, half));
      const looking = setInterval(() => {
        const [part] = pathsIn(staged()).filter((path) => path.startsWith("unet/.") && path.endsWith(".part"));
        if (!part || statSync(join(staged(), part)).size < half) return;
        clearInterval(looking);
        hub.disturb = () => false;
        resolve();
      }, 10);
      return true;
    };
  });
}

test("pull installs a model that is found by its name and opens, and reports it as text and as JSON", async () => {
  const { out, err, code } = await run("tiny/sd");
  expect([code, missingOfLarge()]).toEqual([0, []]);
  expect(out).toContain(`tiny/sd (commit ${commitOf(large).slice(0, 8)}) from ${hub.endpoint}: 14 files, 4.53 MB`);
  expect(out).toContain(placed());
  expect(err).not.toContain("wait");
  expect(err).toMatch(/^look up .*\ndownload 0 B.*4.52 MB.*\n[\s\S]*download 4.52 MB.*4.52 MB.*\n$/);
  const found = await findModel("sd", { cache: cache() });
  expect((await openCheckpoint(await openLocal(found.path))).editing.size).toEqual({ height: 64, width: 64 });

  const again = await run("tiny/sd", "--json", "--quiet", "--revision", "main");
  expect([again.code, again.err]).toEqual([0, ""]);
  expect(JSON.parse(again.out)).toEqual({
    name: "tiny/sd",
    kind: "diffusers folder",
    commit: commitOf(large),
    path: placed(),
    files: 14,
    bytes: needed.reduce((sum, path) => sum + large[path].length, 0),
    moved: 0,
  });
});

test("a killed pull downloads only the rest when it runs again", async () => {
  const half = sendHalf();
  const { child, ended } = start("tiny/sd", "--quiet");
  await half;
  child.kill("SIGKILL");
  await ended;
  expect(existsSync(placed())).toBe(false);
  hub.requests.length = 0;
  await pull();
  expect(starts()).toEqual([largeUnet.length / 2]);
  expect(hub.count("file", /json$/)).toBe(0);
  expect(missingOfLarge()).toEqual([]);
});

test("Ctrl-C stops pull within a second, and the downloaded part is kept", async () => {
  const half = sendHalf();
  const { child, ended } = start("tiny/sd", "--quiet");
  await half;
  const pressed = performance.now();
  child.kill("SIGINT");
  expect((await ended).code).toBe(130);
  expect(performance.now() - pressed).toBeLessThan(1000);
  hub.requests.length = 0;
  await pull();
  expect(starts()).toEqual([largeUnet.length / 2]);
});

test("--from installs a folder without the hub", async () => {
  const { out, code } = await run("sd1.5", "--from", tinyFolder, "--quiet");
  expect(code).toBe(0);
  expect(out).toContain("Use it with --model sd1.5");
  expect(hub.requests).toEqual([]);
  expect((await findModel("sd1.5", { cache: cache() })).path).toBe(
    placed("stable-diffusion-v1-5--stable-diffusion-v1-5"),
  );
});

test.each([
  ["--from with --revision", ["tiny/sd", "--from", tinyFolder, "--revision", "main"], 2, "a folder has no revisions"],
  ["an empty revision", ["tiny/sd", "--revision", ""], 2, '--revision: found "", expected a name'],
  ["a model that does not exist", ["tiny/none"], 3, "does not exist"],
])("%s is refused with its exit status", async (_, args, code, reason) => {
  expect(await run(...args, "--quiet")).toMatchObject({ code, err: expect.stringContaining(reason), out: "" });
});
