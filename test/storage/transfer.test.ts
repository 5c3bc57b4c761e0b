import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BaretError, CancelledError, HubError, type Progress, StorageError } from "../../src/core/index.ts";
import { type Disturbance, type HubRequest, LocalHub, send, sendPart } from "../support/hub.ts";
import {
  cache,
  differences,
  hub,
  impatient,
  largeUnet,
  needed,
  pathsIn,
  placed,
  pull,
  staged,
  tiny,
  unet,
  useHub,
} from "./hub.ts";

/** The tiny model with U-Net weights of 4 MB. */
const model = { ...tiny, [unet]: largeUnet };
useHub(model);

const isWhole = (): string[] => differences(needed, model);
const isUnet = ({ kind, path }: HubRequest): boolean => kind === "blob" && path === unet;
/** Disturbs the first `times` transfers of the U-Net's weights. */
function disturbUnet(times: number, disturbance: Disturbance): void {
  let left = times;
  hub.disturb = (request, response, content) =>
    isUnet(request) && left-- > 0 && disturbance(request, response, content);
}
/** From which bytes the U-Net's weights were asked for. */
const starts = (): number[] => hub.requests.filter(isUnet).map(({ from }) => from);
/** What is kept of the U-Net's unfinished weights. */
function part(): { path: string; size: number } {
  const [name] = pathsIn(staged()).filter((path) => path.endsWith(".part"));
  return { path: join(staged(), name), size: statSync(join(staged(), name)).size };
}
async function failure(work: Promise<unknown> = pull()): Promise<BaretError> {
  const error = await work.then(
    () => "no error",
    (error) => error,
  );
  expect(error).toBeInstanceOf(BaretError);
  return error;
}

test("a broken transfer is continued where it broke, any number of times while it gets on", async () => {
  disturbUnet(1000, (request, response, content) => {
    sendPart(request, response, content, 1_100_000);
    return true;
  });
  const { moved, bytes } = await pull();
  expect(isWhole()).toEqual([]);
  expect(starts().length).toBeGreaterThanOrEqual(4);
  expect(starts().every((from, i) => from > (starts()[i - 1] ?? -1))).toBe(true);
  expect(moved).toBe(bytes);
});

test("a transfer that brings next to nothing is given up after some tries, and continued by the next pull", async () => {
  disturbUnet(1000, (request, response, content) => {
    sendPart(request, response, content, 1000);
    return true;
  });
  const error = await failure();
  expect(error).toMatchObject({ code: "hub", exitCode: 1 });
  expect(error.message).toMatch(/the connection broke.*\n.*--from FOLDER/);
  expect(starts()).toHaveLength(impatient.attempts);
  expect(existsSync(placed())).toBe(false);
  const { size } = part();
  hub.disturb = () => false;
  hub.requests.length = 0;
  const { bytes, moved } = await pull();
  expect(starts()).toEqual([size]);
  const others = needed.filter((path) => path !== unet && path.endsWith(".safetensors"));
  expect(moved).toBe(largeUnet.length - size + others.reduce((sum, path) => sum + tiny[path].length, 0));
  expect(moved).toBeLessThan(bytes);
  expect(hub.count("file", /json$/)).toBe(0);
  expect(isWhole()).toEqual([]);
});

test("a transfer that ends early without an error is continued too", async () => {
  disturbUnet(2, ({ from }, response, content) => {
    if (from > 0) response.setHeader("Content-Range", `bytes ${from}-${content.length - 1}/${content.length}`);
    response.writeHead(from > 0 ? 206 : 200, { "Transfer-Encoding": "chunked" });
    response.end(content.subarray(from, from + 500_000));
    return true;
  });
  await pull();
  expect(starts()).toEqual([0, 500_000, 1_000_000]);
  expect(isWhole()).toEqual([]);
});

test("a transfer from which nothing comes is broken off and continued", async () => {
  disturbUnet(2, ({ from }, response, content) => {
    if (from > 0) return false;
    response.writeHead(200, { "Content-Length": content.length }).write(content.subarray(0, 100_000));
    return true;
  });
  await pull();
  expect(starts()).toEqual([0, 100_000]);
  expect(isWhole()).toEqual([]);
});

test("a hub without byte ranges sends the file from its start again", async () => {
  disturbUnet(1, (request, response, content) => {
    sendPart(request, response, content, 2_000_000);
    return true;
  });
  const break1 = hub.disturb;
  hub.disturb = (request, response, content) => {
    if (break1(request, response, content)) return true;
    if (!isUnet(request)) return false;
    send({ ...request, from: 0 }, response, content);
    return true;
  };
  const told: Progress[] = [];
  await pull({ onProgress: (progress) => told.push(progress) });
  expect(isWhole()).toEqual([]);
  expect(starts()[1]).toBeGreaterThan(0);
  expect(told.every(({ done, total }) => done >= 0 && done <= total)).toBe(true);
  expect(told.at(-1)).toMatchObject({ phase: "download", done: told.at(-1)!.total });
});

test("a hub that denies a range gets asked for the whole, and one that sends another range is asked again", async () => {
  for (const answer of [
    (response: Parameters<Disturbance>[1]) => response.writeHead(416).end(),
    (response: Parameters<Disturbance>[1]) => response.writeHead(206, { "Content-Range": "bytes 7-9/10" }).end("xyz"),
  ]) {
    let broken = 0;
    let denied = 0;
    hub.disturb = (request, response, content) => {
      if (!isUnet(request)) return false;
      if (request.from === 0 && broken++ === 0) sendPart(request, response, content, 100_000);
      else if (request.from > 0 && denied === 0) {
        denied++;
        answer(response);
      } else return false;
      return true;
    };
    await pull();
    expect([denied, isWhole()]).toEqual([1, []]);
    rmSync(cache(), { recursive: true });
  }
});

test("a file that is not what was announced is fetched anew once, and never gets its name", async () => {
  const wrong = (times: number): void =>
    disturbUnet(times, (request, response, content) => {
      const changed = Buffer.from(content);
      changed[content.length - 9] ^= 1;
      send(request, response, changed);
      return true;
    });
  wrong(1);
  await pull();
  expect([starts(), isWhole()]).toEqual([[0, 0], []]);

  rmSync(cache(), { recursive: true });
  wrong(1000);
  hub.requests.length = 0;
  const error = await failure();
  expect(error.message).toMatch(/unet.*: what came is not what the hub announced, twice: expected sha256 [0-9a-f]{64}/);
  expect(starts()).toEqual([0, 0]);
  expect(pathsIn(staged()).filter((path) => path.startsWith("unet/"))).toEqual(["unet/config.json"]);
  expect(existsSync(placed())).toBe(false);
});

test("a small file that is not what was announced is refused by git's checksum", async () => {
  hub.disturb = (request, response, content) => {
    if (request.path !== "vae/config.json") return false;
    send(request, response, Buffer.from(`${content}`.replace("4", "5")));
    return true;
  };
  expect((await failure()).message).toMatch(/vae\/config.json: what came is not.*expected git [0-9a-f]{40}/);
});

test("a hub that sends more than it announced is stopped", async () => {
  let sent = 0;
  disturbUnet(1, (_, response) => {
    response.writeHead(200);
    const more = (): void => {
      sent += 1 << 20;
      if (!response.destroyed) response.write(Buffer.alloc(1 << 20), more);
    };
    more();
    return true;
  });
  expect((await failure()).message).toContain("the hub sends more than it announced");
  expect(sent).toBeLessThan(100e6);
});

test("a damaged or overlong part is not built upon", async () => {
  const cut = (): void =>
    disturbUnet(impatient.attempts, (request, response, content) => {
      sendPart(request, response, content, 1000);
      return true;
    });
  for (const damage of [
    (path: string) => writeFileSync(path, Buffer.alloc(5000, 1)),
    (path: string) => appendFileSync(path, Buffer.alloc(largeUnet.length)),
  ]) {
    cut();
    await failure();
    damage(part().path);
    await pull();
    expect(isWhole()).toEqual([]);
    rmSync(cache(), { recursive: true });
  }
});

test("a disk that fills up, or is read-only, is named, and what came is continued when there is room", async ({
  skip,
}) => {
  mkdirSync(cache());
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m", "baret-test", cache()]).status === 0;
  if (!mounted) skip("mounting needs root");
  try {
    const filler = join(cache(), "filler");
    const onProgress = ({ done }: Progress): void => {
      if (done > 1e6 && !existsSync(filler)) spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
    };
    const full = await failure(pull({ onProgress }));
    expect(full).toBeInstanceOf(StorageError);
    expect(full.message).toMatch(/unet.*: cannot be written: the disk is full.*\n.*BARET_CACHE/);
    const { size } = part();
    rmSync(filler);
    hub.requests.length = 0;
    await pull();
    expect([size > 0, starts(), isWhole()]).toEqual([true, [size], []]);

    rmSync(join(placed(), unet));
    execFileSync("mount", ["-o", "remount,ro", cache()]);
    expect((await failure()).message).toMatch(
      /models: a model cannot be put here: the file system is read-only.*\n.*BARET_CACHE/,
    );
  } finally {
    execFileSync("umount", [cache()]);
  }
});

test("a part of an older version is not continued with a newer one", async () => {
  disturbUnet(impatient.attempts, (request, response, content) => {
    sendPart(request, response, content, 1000);
    return true;
  });
  await failure();
  const next = { ...model, [unet]: tiny[unet] };
  hub.repositories["tiny/sd"].revisions.main = next;
  hub.requests.length = 0;
  await pull();
  expect(starts()).toEqual([0]);
  expect(differences(needed, next)).toEqual([]);
});

/** Answers requests of a kind with these statuses, one after another, and from then on as it should, or with the last. */
function answerWith(
  kind: HubRequest["kind"],
  statuses: number[],
  { headers = {}, forEver = false }: { headers?: Record<string, string>; forEver?: boolean } = {},
): void {
  const left = [...statuses];
  hub.disturb = (request, response) => {
    if (request.kind !== kind || left.length === 0) return false;
    response.writeHead(forEver && left.length === 1 ? left[0] : (left.shift() ?? 200), headers).end("<html>");
    return true;
  };
}

test.each(["info", "tree", "file", "blob"] as const)(
  "a hub's own fault in %s is waited for, but not for ever",
  async (kind) => {
    for (const statuses of [
      [500, 502, 503],
      [504, 408, 429],
    ]) {
      answerWith(kind, statuses);
      await pull();
      expect(isWhole()).toEqual([]);
      for (const path of [unet, "unet/config.json"]) rmSync(join(placed(), path));
    }
    answerWith(kind, [500], { forEver: true });
    hub.requests.length = 0;
    const error = await failure();
    expect(error).toMatchObject({ code: "hub", exitCode: 1 });
    expect(error.message).toMatch(/does not deliver: found HTTP 500.*\n.*later/);
    expect(hub.count(kind)).toBe(impatient.attempts);
  },
);

test("a hub that asks for patience gets it, and one that asks for too much is told on", async () => {
  answerWith("info", [429], { headers: { "Retry-After": "1" } });
  const told: Progress[] = [];
  const start = Date.now();
  await pull({ onProgress: (progress) => told.push(progress) });
  expect(Date.now() - start).toBeGreaterThan(950);
  expect(told.filter(({ phase }) => phase === "wait for the hub").map(({ note }) => note)).toEqual([
    "tiny/sd: the hub asks for fewer requests: found HTTP 429; trying again in 1 s",
  ]);
  rmSync(cache(), { recursive: true });
  answerWith("info", [429], { headers: { "Retry-After": new Date(Date.now() + 3_600_000).toUTCString() } });
  hub.requests.length = 0;
  expect((await failure()).message).toMatch(/asks for fewer requests.*\n.*HF_TOKEN raises the limit/);
  expect(hub.count("info")).toBe(1);
});

test("a storage host whose signed address has expired is reached by a new one", async () => {
  answerWith("blob", [403, 403]);
  await pull();
  expect(isWhole()).toEqual([]);
});

test("the token is shown to the hub, and not to the storage host that it sends us to", async () => {
  hub.repositories["tiny/sd"].gated = "for everyone with a token";
  await pull({ token: "hf_known" });
  expect(hub.requests.filter(({ kind, token }) => (kind === "blob") === (token !== undefined))).toEqual([]);
  expect(isWhole()).toEqual([]);
});

test.each([
  ["a model that does not exist", { name: "tiny/none" }, /no such model.*\n.*spelling.*HF_TOKEN/],
  ["the same, asked by somebody known", { name: "tiny/none", token: "hf_known" }, /no such model.*404.*\n.*spelling/],
  ["a revision that does not exist", { revision: "none" }, /no such revision: found "none".*\n.*--revision/],
  ["a wrong token", { token: "hf_wrong" }, /HF_TOKEN is not accepted.*401.*Invalid credentials.*\n.*unset HF_TOKEN/],
])("%s: exit code 3, at once, with what to do", async (_, options, message) => {
  const error = await failure(pull(options));
  expect(error).toBeInstanceOf(HubError);
  expect(error.exitCode).toBe(3);
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain("hf_wrong");
  expect(hub.requests).toHaveLength(1);
});

test("a gated model says how to get at it, to those without a token and to those with one", async () => {
  hub.repositories["tiny/sd"].gated = "for nobody";
  for (const [token, advice] of [
    [undefined, /Accept the model's terms at .*\/tiny\/sd.*set HF_TOKEN/],
    ["hf_known", /account of HF_TOKEN has no access/],
  ] as const) {
    const error = await failure(pull({ token }));
    expect(error.exitCode).toBe(3);
    expect(error.message).toMatch(advice);
  }
});

/** Where nobody listens any more. */
async function deadEndpoint(): Promise<string> {
  const other = await new LocalHub({}).start();
  const { endpoint } = other;
  await other.stop();
  return endpoint;
}

test("a hub that cannot be reached is given up at once where that is sure, else after some tries", async () => {
  for (const endpoint of ["http://hub.invalid", await deadEndpoint()]) {
    const error = await failure(pull({ place: { endpoint }, persistence: { ...impatient, firstDelayMs: 60_000 } }));
    expect(error).toMatchObject({ code: "hub", exitCode: 1 });
    expect(error.message).toMatch(/cannot be reached.*\n.*HF_ENDPOINT.*--from FOLDER/);
  }
  hub.disturb = (_, response) => {
    response.destroy();
    return true;
  };
  expect((await failure()).message).toContain("the connection broke");
  expect(hub.requests).toHaveLength(impatient.attempts);
});

test.each(["info", "tree", "file", "blob"] as const)(
  "cancelled while it waits for %s, it stops at once and keeps what came",
  async (kind) => {
    const abort = new AbortController();
    let asked = 0;
    hub.disturb = (request, response, content) => {
      if (request.kind !== kind) return false;
      asked = performance.now();
      if (kind === "blob")
        response.writeHead(200, { "Content-Length": content.length }).write(content.subarray(0, 100));
      setTimeout(() => abort.abort(), 100);
      return true;
    };
    const error = await failure(pull({ signal: abort.signal, persistence: { ...impatient, stallMs: 60_000 } }));
    expect(error).toBeInstanceOf(CancelledError);
    expect(performance.now() - asked).toBeLessThan(1000);
    const kept = kind === "blob" && part().size;
    hub.disturb = () => false;
    hub.requests.length = 0;
    await pull();
    expect(isWhole()).toEqual([]);
    if (kind === "blob") expect([starts(), hub.count("file", /json$/)]).toEqual([[kept], 0]);
  },
);

test("cancelled while it waits to try again, or before it began, it stops at once", async () => {
  answerWith("info", [500], { forEver: true });
  const abort = new AbortController();
  const persistence = { ...impatient, firstDelayMs: 1999 };
  const start = performance.now();
  const work = pull({
    signal: abort.signal,
    persistence,
    onProgress: ({ phase }) => phase !== "look up" && abort.abort(),
  });
  expect(await failure(work)).toBeInstanceOf(CancelledError);
  expect(performance.now() - start).toBeLessThan(1000);
  hub.requests.length = 0;
  expect(await failure(pull({ signal: abort.signal }))).toBeInstanceOf(CancelledError);
  expect(hub.requests).toEqual([]);
});

test("cancelled in the middle of a fast transfer, the part is kept and continued", async () => {
  const abort = new AbortController();
  const onProgress = ({ done, total }: Progress): void => {
    if (done > total / 2) abort.abort();
  };
  expect(await failure(pull({ signal: abort.signal, onProgress }))).toBeInstanceOf(CancelledError);
  const { size, path } = part();
  expect(size).toBeGreaterThan(0);
  expect(readFileSync(path).equals(largeUnet.subarray(0, size))).toBe(true);
  hub.requests.length = 0;
  await pull();
  expect(starts()).toEqual([size]);
  expect(isWhole()).toEqual([]);
});
