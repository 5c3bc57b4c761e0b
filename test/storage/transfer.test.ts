import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HubError, type Progress, StorageError } from "../../src/core/index.ts";
import { type Disturbance, type HubRequest, send, sendPart } from "../support/hub.ts";
import {
  cache,
  differences,
  encodeWeights,
  failure,
  hub,
  impatient,
  isUnet,
  large,
  largeUnet,
  missingOfLarge,
  needed,
  pathsIn,
  placed,
  pull,
  staged,
  starts,
  tiny,
  unet,
  useHub,
} from "./hub.ts";

useHub(large);

/** Disturbs the first `times` transfers of the U-Net's weights. */
function disturbUnet(times: number, disturbance: Disturbance): void {
  let left = times;
  hub.disturb = (request, response, content) =>
    isUnet(request) && left-- > 0 && disturbance(request, response, content);
}
/** What is kept of the U-Net's unfinished weights. */
function part(): { path: string; size: number } {
  const [name] = pathsIn(staged()).filter((path) => path.endsWith(".part"));
  return { path: join(staged(), name), size: statSync(join(staged(), name)).size };
}
test("a broken transfer is continued where it broke, any number of times while it gets on", async () => {
  const larger = { ...tiny, [unet]: encodeWeights(1 << 22) };
  hub.repositories["tiny/sd"].revisions.main = larger;
  disturbUnet(1000, (request, response, content) => {
    sendPart(request, response, content, 2_500_000);
    return true;
  });
  const attempts = 3;
  const { moved, bytes } = await pull({ persistence: { ...impatient, attempts } });
  expect(differences(needed, larger)).toEqual([]);
  expect(starts().length).toBeGreaterThan(attempts + 1);
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
  expect(missingOfLarge()).toEqual([]);
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
  expect(missingOfLarge()).toEqual([]);
});

test("a transfer from which nothing comes is broken off and continued", async () => {
  disturbUnet(1000, ({ from }, response, content) => {
    if (from > 0) return false;
    response.writeHead(200, { "Content-Length": content.length }).write(content.subarray(0, 100_000));
    return true;
  });
  // Many attempts, so that a busy machine's pauses do not count.
  await pull({ persistence: { ...impatient, attempts: 30, stallMs: 500 } });
  expect(starts()).toContain(100_000);
  expect(missingOfLarge()).toEqual([]);
});

/** Sends the content one byte at a time, `everyMs` apart. */
function trickle(response: ServerResponse, content: Buffer, everyMs: number): void {
  response.writeHead(200, { "Content-Length": content.length });
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < content.length && !response.destroyed) response.write(content.subarray(sent, ++sent));
    else {
      clearInterval(timer);
      response.end();
    }
  }, everyMs);
}

test.each<HubRequest["kind"]>(["blob", "file", "tree", "info"])(
  "a hub that sends one byte at a time is given up after some tries, with what came in how long: %s",
  async (kind) => {
    hub.disturb = (request, response) => {
      if (request.kind !== kind) return false;
      trickle(response, Buffer.alloc(1e6), 10);
      return true;
    };
    const error = await failure(pull({ persistence: { ...impatient, attempts: 2, stallMs: 1000 } }));
    expect(error).toBeInstanceOf(HubError);
    expect(error.message).toMatch(
      /: the transfer stalled: only \d+ B came in 1 s: expected at least 65\.5 kB\.\n.*HF_ENDPOINT/,
    );
    expect(existsSync(placed())).toBe(false);
  },
);

test("answers whose headers never come are given up after some tries", async () => {
  hub.disturb = ({ kind }) => kind === "info";
  const error = await failure(pull({ persistence: { ...impatient, attempts: 2, stallMs: 500 } }));
  expect(error.message).toMatch(/: nothing came for 0\.5 s\./);
});

test("headers that come one byte at a time are no sign of life", async () => {
  hub.disturb = ({ kind }, response) => {
    if (kind !== "info") return false;
    const timer = setInterval(() => response.socket?.write("x"), 20);
    response.socket?.write("HTTP/1.1 200 OK\r\nX-Endless: ");
    response.once("close", () => clearInterval(timer));
    return true;
  };
  const error = await failure(pull({ persistence: { ...impatient, attempts: 2, stallMs: 500 } }));
  expect(error.message).toMatch(/: nothing came for 0\.5 s\./);
});

test("a slow transfer goes on as long as it brings the least number of bytes, and its small end is no stall", async () => {
  let whole = 0;
  disturbUnet(1, ({ from }, response, content) => {
    response.writeHead(200, { "Content-Length": content.length });
    // 4.2 MB in 2.3 s, which is longer than stallMs; the last part has 14 kB.
    const parts = Array.from({ length: 23 }, (_, i) => content.subarray(from + i * 190_000, from + (i + 1) * 190_000));
    const timer = setInterval(() => {
      const part = parts.shift();
      if (part) response.write(part);
      else {
        clearInterval(timer);
        response.end();
        whole++;
      }
    }, 100);
    return true;
  });
  await pull({ persistence: { ...impatient, attempts: 1, stallMs: 1500, stallBytes: 150_000 } });
  expect([whole, starts(), missingOfLarge()]).toEqual([1, [0], []]);
});

test("a small answer that takes long, but ends in time, is whole", async () => {
  hub.disturb = ({ path }, response, content) => {
    if (path !== "model_index.json") return false;
    trickle(response, content, 1);
    return true;
  };
  await pull({ persistence: { ...impatient, attempts: 1, stallMs: 20_000 } });
  expect(missingOfLarge()).toEqual([]);
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
  expect(missingOfLarge()).toEqual([]);
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
    expect([denied, missingOfLarge()]).toEqual([1, []]);
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
  expect([starts(), missingOfLarge()]).toEqual([[0, 0], []]);

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
    expect(missingOfLarge()).toEqual([]);
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
    expect([size > 0, starts(), missingOfLarge()]).toEqual([true, [size], []]);

    rmSync(join(placed(), unet));
    execFileSync("mount", ["-o", "remount,ro", cache()]);
    expect((await failure()).message).toMatch(
      /models: a model cannot be put here: the file system is read-only.*\n.*BARET_CACHE/,
    );
  } finally {
    execFileSync("umount", [cache()]);
  }
});

test("what an unfinished pull of another variant left does not get into the model", async () => {
  const half = (path: string): string => path.replace(".safetensors", ".fp16.safetensors");
  const weights = needed.filter((path) => path.endsWith(".safetensors"));
  const halves = Object.fromEntries(weights.map((path, i) => [half(path), encodeWeights(100_000 + i)]));
  hub.repositories["tiny/sd"].revisions.main = { ...large, ...halves };
  hub.disturb = (request, response, content) => {
    if (request.path !== half("vae/diffusion_pytorch_model.safetensors") || request.kind !== "blob") return false;
    sendPart(request, response, content, 1000);
    return true;
  };
  await failure(pull({ variant: "fp16" }));
  expect(pathsIn(staged()).filter((path) => path.includes("fp16"))).toHaveLength(2);
  await pull();
  expect(missingOfLarge()).toEqual([]);
});

test("a part of an older version is not continued with a newer one", async () => {
  disturbUnet(impatient.attempts, (request, response, content) => {
    sendPart(request, response, content, 1000);
    return true;
  });
  await failure();
  const next = { ...large, [unet]: tiny[unet] };
  hub.repositories["tiny/sd"].revisions.main = next;
  hub.requests.length = 0;
  await pull();
  expect(starts()).toEqual([0]);
  expect(differences(needed, next)).toEqual([]);
});
