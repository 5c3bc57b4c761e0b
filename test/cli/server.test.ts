import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { UsageError } from "../../src/core/index.ts";
import { decodePhoto, encodePicture, encodePng } from "../../src/image/node/index.ts";
import { connect } from "../../src/server/client/index.ts";
import { type Server, type ServerOptions, startServer } from "../../src/server/node/index.ts";
import { readRecord } from "../../src/tasks/node/index.ts";
import { smoothPicture } from "../support/baret.ts";
import { Workplace } from "../support/cli.ts";
import { fixturePath, temporaryFolder } from "../support/files.ts";
import { inProcess } from "../support/inProcess.ts";

// Every picture is made twice: here, and by a real server with a worker and an embedded queue.
const at = temporaryFolder();
const [first, second] = ["a dog lying down", "a dog running"];
const model = ["--model", fixturePath("tiny-sd1"), "--threads", "1"];
const quick = ["--steps", "2", "--iterations", "1"];
let server: Server;
/** Options that send the work to the server instead. */
let there: string[];

beforeAll(async () => {
  vi.stubEnv("BARET_CACHE", at("cache"));
  const { width, height, data } = smoothPicture(1);
  const alpha = { width, height, data: new Uint8Array(width * height).fill(100) };
  writeFileSync(at("photo.png"), await encodePng({ width, height, data }));
  writeFileSync(at("glass.png"), await encodePicture({ width, height, data }, { format: "png", alpha }));
  server = await startServer({ models: [fixturePath("tiny-sd1")], folder: at("server"), threads: 1, token: "secret" });
  await server.ready;
  there = ["--server", new URL(server.url).origin, "--token", "secret"];
}, 120_000);
afterAll(async () => {
  await server.close();
  vi.unstubAllEnvs();
}, 60_000);

/** Runs a command here and there, and returns what each printed, with the names of files made equal. */
async function both(args: readonly string[], ...more: string[]): Promise<[here: string, there: string]> {
  const here = await inProcess(...args, ...model, "-o", at("here.png"), ...more);
  const remote = await inProcess(...args, ...there, "-o", at("there.png"), ...more);
  return [here, remote.replaceAll("there", "here")];
}

const pixels = async (name: string) => {
  const { picture, alpha } = await decodePhoto(new Uint8Array(readFileSync(at(name))));
  return { picture, alpha };
};

/** Expects equal pixels, and equal records but for the model's name. */
async function expectSame(name: string): Promise<void> {
  expect(await pixels(`there${name}.png`)).toEqual(await pixels(`here${name}.png`));
  const [here, there] = [await readRecord(at(`here${name}.png`)), await readRecord(at(`there${name}.png`))];
  expect({ ...there, model: { ...there.model, name: "" } }).toEqual({ ...here, model: { ...here.model, name: "" } });
  expect(Object.keys(there)).toEqual(Object.keys(here));
}

/** Lines without the model's name. */
const lines = (text: string): string => text.replaceAll(fixturePath("tiny-sd1"), "tiny-sd1");

test("edits of several photos and prompts: the same files, records and lines", async () => {
  const args = ["edit", at("photo.png"), at("glass.png"), first, second, ...quick, "--size", "64"];
  const [here, remote] = await both(args);
  for (const k of [1, 2, 3, 4]) await expectSame(`-${k}`);
  expect(lines(remote)).toBe(lines(here));
}, 120_000);

test("--save-all with --fit paste, --json and --preview", async () => {
  const args = ["edit", at("photo.png"), first, ...quick, "--size", "32", "--fit", "paste", "--save-all", "--json"];
  const [here, remote] = await both(args, "--preview", at("preview.png"));
  const names = Object.keys(JSON.parse(here).edits[0].files);
  expect(names).toContain("sheet");
  for (const name of names) {
    const suffix = name === "edit" ? "" : `-${name}`;
    expect(await pixels(`there${suffix}.png`)).toEqual(await pixels(`here${suffix}.png`));
  }
  const shape = (text: string): object => {
    const { model, edits, ...rest } = JSON.parse(text);
    const [{ estimate: _, ...edit }] = edits;
    return { ...rest, sha256: model.sha256, edit };
  };
  expect(shape(remote)).toEqual(shape(here));
  await inProcess("edit", "--like", at("there.png"), ...there, "-o", at("like.png"));
  expect(await pixels("like.png")).toEqual(await pixels("there.png"));
}, 120_000);

test("masks are uploaded, and their paths here are in the record", async () => {
  const data = new Uint8Array(64 * 64 * 3).map((_, k) => (k % 192 < 96 ? 255 : 0));
  writeFileSync(at("mask.png"), await encodePng({ width: 64, height: 64, data }));
  const args = ["edit", at("photo.png"), first, "--method", "masactrl", "--steps", "2", "--size", "64"];
  const masks = await both(args, "--source-mask", at("mask.png"), "--target-mask", at("mask.png"));
  await expectSame("");
  for (const printed of masks) expect(printed).toContain(at("mask.png"));
  const mask = (await readRecord(at("there.png"))).settings.sourceMask;
  expect(mask).toMatchObject({ path: at("mask.png") });
}, 120_000);

test("a comparison: the same pictures, and a table of the same methods", async () => {
  const methods = ["--methods", "plain,sdedit", "--set", "steps=2", "--seed", "4", "--size", "64"];
  // A prompt of its own, and nothing kept here: the server would find the steps of this process in the cache that they share.
  const args = ["compare", at("photo.png"), "a dog on a sofa", ...methods];
  const here = await inProcess(...args, ...model, "--no-cache", "-o", at("here.png"));
  const remote = (await inProcess(...args, ...there, "-o", at("there.png"))).replaceAll("there", "here");
  for (const name of ["-plain", "-sdedit"]) {
    expect(await pixels(`there${name}.png`)).toEqual(await pixels(`here${name}.png`));
  }
  expect((await readRecord(at("there.png"))).command).toBe("compare");
  const column = (text: string, k: number) => text.split("\n").map((line) => line.split(/\s{2,}/)[k]);
  for (const k of [0, 3, 4, 5]) expect(column(remote, k)).toEqual(column(here, k));
}, 120_000);

test("a comparison's JSON is the same but for seconds and paths: CLIP's name and scores too; a server estimates long methods alone", async () => {
  const judged = at("judged");
  cpSync(fixturePath("tiny-sd1"), judged, { recursive: true });
  writeFileSync(at("judged", "editing.json"), JSON.stringify({ judge: fixturePath("judge-tiny") }));
  const own = await another("judging", { models: [judged] });
  const methods = ["--methods", "imagic,plain", "--set", "steps=2", "--set", "imagic.embedding-steps=1"];
  const tuned = ["--set", "imagic.tuning-steps=1", "--size", "64", "--seed", "4", "--json"];
  const args = ["compare", at("photo.png"), first, ...methods, ...tuned];
  type Method = { readonly method: string; readonly estimate?: { readonly computed: object } };
  const facts = (text: string) => {
    const { model, comparisons, clip, ...rest } = JSON.parse(text);
    const strip = ({ prepare, edit, estimate, file, ...method }: Record<string, unknown> & Method) => method;
    const [{ sheet: _, methods, ...one }] = comparisons;
    const estimates = (methods as Method[]).map(({ method, estimate }) => [method, estimate?.computed]);
    return { clip, shared: { ...rest, sha256: model.sha256, one, methods: methods.map(strip) }, estimates };
  };
  const here = facts(await inProcess(...args, "--model", judged, "--threads", "1", "-o", at("json-here.png")));
  const remote = facts(await inProcess(...args, "--server", own.url, "-o", at("json-there.png")));
  expect(remote.shared).toEqual(here.shared);
  expect(JSON.stringify(here.shared).match(/"clipScore":\d/g)).toHaveLength(2);
  // A server tells no paths.
  expect([here.clip, remote.clip]).toEqual([fixturePath("judge-tiny"), "judge-tiny"]);
  expect(here.estimates).toEqual([
    ["imagic", expect.anything()],
    ["plain", expect.anything()],
  ]);
  expect(remote.estimates).toEqual([here.estimates[0], ["plain", undefined]]);
  await own.close();
}, 400_000);

test("Ctrl-C cancels the job on the server", async () => {
  const workplace = new Workplace();
  const args = ["edit", at("photo.png"), "a long one", "--steps", "900", ...there];
  const { code } = await workplace.baret(args, { interruptAt: /\d+\/\d+/ });
  workplace.remove();
  expect(code).toBe(130);
  const client = connect(new URL(server.url).origin, { token: "secret" });
  const [{ request, state }] = await client.jobs();
  expect([request.target, state]).toEqual(["a long one", "cancelled"]);
}, 60_000);

/** Starts a server of its own for one test. */
async function another(name: string, more: Partial<ServerOptions> = {}): Promise<Server> {
  const options = { models: [fixturePath("tiny-sd1")], folder: at(name), threads: 1, ...more };
  const started = await startServer(options);
  await started.ready;
  return started;
}

test("a full server: the command says so and when it tries again, and gets in when there is room", async () => {
  const full = await another("full", { queuedJobs: 1 });
  const client = connect(full.url);
  const photo = await client.addPhoto(new Uint8Array(readFileSync(at("photo.png"))));
  const submit = (target: string) =>
    client.submit({ kind: "edit", photo: photo.id, target, method: "plain", options: { steps: 900 } });
  const running = await submit("one that runs");
  await expect.poll(async () => (await client.job(running.id)).state, { timeout: 60_000 }).toBe("running");
  const waiting = await submit("one that waits");
  const workplace = new Workplace();
  const args = ["edit", at("photo.png"), "a late one", "--method", "plain", "--steps", "2", "--server", full.url];
  const { code, stderr } = await workplace.baret([...args, "-o", at("late.png")], {
    onError: (text) => {
      if (!/takes no job now: .*found 1, expected fewer than 1\. Trying again in \d+ s\./.test(text)) return;
      void Promise.all([running, waiting].map(({ id }) => client.cancel(id)));
    },
  });
  workplace.remove();
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("Trying again in") });
  expect(await readRecord(at("late.png"))).toMatchObject({ settings: { target: "a late one" } });
  await full.close();
}, 240_000);

test("a server that restarts in the middle of a job: the command waits for it, and goes on with the same job", async () => {
  const first = await another("restarting");
  const { port, origin } = new URL(first.url);
  let second: Promise<Server> | undefined;
  const workplace = new Workplace();
  const args = ["edit", at("photo.png"), "a patient dog", "--method", "plain", "--steps", "300", "--server", origin];
  const { code, stderr } = await workplace.baret([...args, "-o", at("patient.png")], {
    onError: (text) => {
      if (/\d+\/\d+/.test(text)) second ??= first.close().then(() => another("restarting", { port: Number(port) }));
    },
  });
  workplace.remove();
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/Waiting up to 120 s for it/) });
  const jobs = await connect(origin).jobs();
  expect(jobs).toMatchObject([{ state: "done", request: { target: "a patient dog" } }]);
  await (await second!).close();
}, 240_000);

test.each([
  [["--cors", "example.org"], /--cors: found "example\.org", expected http/],
  [["--cors", "*"], /--cors/],
  [
    ["--cors", "https://example.org", "--cors", "https://example.org/page"],
    /--cors: found "https:\/\/example\.org\/page"/,
  ],
  [["--allowed-host", "http://photos.example"], /--allowed-host: .*expected a name alone/],
  [["--allowed-host", "photos.example:80", "--cors", "x"], /2 options are wrong\n.*--allowed-host.*\n.*--cors/],
])("serve %j is refused before it starts: such a name or site would never be answered", async (args, message) => {
  await expect(inProcess("serve", "--no-open", "--data", at("never"), ...args)).rejects.toThrow(message);
});

test("what cannot go over a server is refused, and errors are those of the command", async () => {
  const edit = (...more: string[]) => inProcess("edit", at("photo.png"), first, ...there, ...more);
  await expect(edit("--save-inversion", at("a.safetensors"))).rejects.toThrow(/--save-inversion: cannot be used/);
  await expect(edit("--threads", "1")).rejects.toThrow(UsageError);
  await expect(edit("--model", "other")).rejects.toThrow(/does not offer this model.*expected/);
  await expect(inProcess("edit", at("a.safetensors"), first, ...there)).rejects.toThrow(/not prepared photos/);
  await expect(inProcess("edit", at("no.png"), first, ...there)).rejects.toThrow(/no\.png/);
  await expect(edit("--token", "wrong")).rejects.toMatchObject({ code: "invalid_token" });
  await expect(inProcess("edit", at("photo.png"), first, "--server", "nonsense")).rejects.toThrow(UsageError);
});
