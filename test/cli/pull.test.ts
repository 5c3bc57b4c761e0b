import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findModel, openLocal } from "../../src/storage/node.ts";
import { openCheckpoint } from "../../src/weights/index.ts";
import {
  cache,
  differences,
  hub,
  largeUnet,
  needed,
  pathsIn,
  placed,
  root,
  staged,
  tiny,
  tinyFolder,
  unet,
  useHub,
} from "../storage/hub.ts";
import { commitOf, type Files, type HubRequest } from "../support/hub.ts";

const model: Files = { ...tiny, [unet]: largeUnet };
useHub(model);

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

interface Ended {
  out: string;
  err: string;
  code: number | null;
}

/** `baret pull ...` as a process of its own. */
function start(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  mkdirSync(cache(), { recursive: true });
  const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_TOKEN: "", BARET_CACHE: cache(), XDG_CACHE_HOME: root };
  const child = spawn(process.execPath, [main, "pull", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const ended = Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { child, ended: ended.then(([out, err, code]) => ({ out, err, code })) };
}
const run = (...args: string[]): Promise<Ended> => start(...args).ended;

const isUnet = ({ kind, path }: HubRequest): boolean => kind === "blob" && path === unet;
const starts = (): number[] => hub.requests.filter(isUnet).map(({ from }) => from);

/** Lets the hub send half of the U-Net's weights, then nothing. Resolves when the client has them on disk. */
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

test("a model is pulled, said so in words, found by its name, and opens", async () => {
  const { out, err, code } = await run("tiny/sd");
  expect([code, differences(needed, model)]).toEqual([0, []]);
  expect(out).toContain(`tiny/sd (commit ${commitOf(model).slice(0, 8)}) from ${hub.endpoint}: 13 files, 4.53 MB`);
  expect(out).toContain(placed());
  expect(err).not.toContain("wait");
  expect(err).toMatch(/^look up 0\/1\ndownload 0 B of 4.52 MB\n[\s\S]*download 4.52 MB of 4.52 MB\n$/);
  const found = await findModel("sd", { cache: cache() });
  expect((await openCheckpoint(await openLocal(found.path))).editing.size).toBe(64);
  expect((await run("tiny/sd", "--quiet")).out).toContain("it was there already");
});

test("--json prints the result and --quiet nothing else", async () => {
  const { out, err } = await run("tiny/sd", "--json", "--quiet", "--revision", "main");
  expect(err).toBe("");
  expect(JSON.parse(out)).toEqual({
    name: "tiny/sd",
    commit: commitOf(model),
    path: placed(),
    files: 13,
    bytes: needed.reduce((sum, path) => sum + model[path].length, 0),
    moved: needed.reduce((sum, path) => sum + model[path].length, 0),
  });
});

test("killed in the middle and started again, only the rest is fetched", async () => {
  const half = sendHalf();
  const { child, ended } = start("tiny/sd", "--quiet");
  await half;
  child.kill("SIGKILL");
  await ended;
  expect(existsSync(placed())).toBe(false);
  hub.requests.length = 0;
  const { code } = await run("tiny/sd", "--quiet");
  expect(code).toBe(0);
  expect(starts()).toEqual([largeUnet.length / 2]);
  expect(hub.count("file", /json$/)).toBe(0);
  expect(differences(needed, model)).toEqual([]);
});

test("Ctrl-C stops it within a second, and what came is kept", async () => {
  const half = sendHalf();
  const { child, ended } = start("tiny/sd", "--quiet");
  await half;
  const pressed = performance.now();
  child.kill("SIGINT");
  expect((await ended).code).toBe(130);
  expect(performance.now() - pressed).toBeLessThan(1000);
  hub.requests.length = 0;
  await run("tiny/sd", "--quiet");
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

test("options that do not go together are refused, with the reason", async () => {
  for (const [args, reason] of [
    [["--from", tinyFolder, "--revision", "main"], "--revision: a folder has no revisions"],
    [["--prediction", "epsilon"], "--prediction: a model of the hub says itself"],
  ] as const) {
    const { err, code } = await run("tiny/sd", ...args);
    expect([code, err]).toEqual([2, expect.stringContaining(reason)]);
  }
  expect(hub.requests).toEqual([]);
});

test("a model that is not there: exit code 3; a hub that does not answer: exit code 1", async () => {
  expect(await run("tiny/none", "--quiet")).toMatchObject({ code: 3, err: expect.stringContaining("no such model") });
  await hub.stop();
  expect(await run("tiny/sd", "--quiet")).toMatchObject({ code: 1, err: expect.stringContaining("cannot be reached") });
});
