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
/** The partial file of the U-Net's weights. */
function part(): { path: string; size: number } {
  const [name] = pathsIn(staged()).filter((path) => path.endsWith(".part"));
  return { path: join(staged(), name), size: statSync(join(staged(), name)).size };
}
test("a broken transfer is resumed any number of times, as long as each try brings enough bytes", async () => {
  const larger = { ...tiny, [unet]: encodeWeights(1 << 22) };
  hub.repositories["tiny/sd"].revisions.main = larger;
  disturbUnet(1000, (request, response, content) => {
    sendPart(request, response, content, 2_500_000);
    return true;
  });
  const attempts = 3;
  const { moved, bytes } = await pull({ retries: { ...impatient, attempts } });
  expect(differences(needed, larger)).toEqual([]);
  expect(starts().length).toBeGreaterThan(attempts + 1);
  expect(starts().every((from, i) => from > (starts()[i - 1] ?? -1))).toBe(true);
  expect(moved).toBe(bytes);
});

test("a transfer that brings too few bytes is given up after several tries, and resumed by the next pull", async () => {
  disturbUnet(1000, (request, response, content) => {
    sendPart(request, response, content, 1000);
    return true;
  });
  const error = await failure();
  expect(error).toMatchObject({ code: "hub", category: "failure" });
  expect(error.message).toMatch(/the connection failed.*\n.*copy the model/);
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

test("a transfer that ends early without an error is resumed too", async () => {
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

test("a transfer that stalls is aborted and resumed", async () => {
  disturbUnet(1000, ({ from }, response, content) => {
    if (from > 0) return false;
    response.writeHead(200, { "Content-Length": content.length }).write(content.subarray(0, 100_000));
    return true;
  });
  // Many attempts, because a busy machine pauses too.
  await pull({ retries: { ...impatient, attempts: 30, stallMs: 500 } });
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
  "a hub that sends one byte at a time is given up after several tries, with bytes and seconds: %s",
  async (kind) => {
    hub.disturb = (request, response) => {
      if (request.kind !== kind) return false;
      trickle(response, Buffer.alloc(1e6), 10);
      return true;
    };
    const error = await failure(pull({ retries: { ...impatient, attempts: 2, stallMs: 1000 } }));
    expect(error).toBeInstanceOf(HubError);
    expect(error.message).toMatch(
      /: the transfer stalled: only \d+ B in 1 s: expected at least 65\.5 kB\.\n.*HF_ENDPOINT/,
    );
    expect(existsSync(placed())).toBe(false);
  },
);

test("responses whose headers never arrive are given up after several tries", async () => {
  hub.disturb = ({ kind }) => kind === "info";
  const error = await failure(pull({ retries: { ...impatient, attempts: 2, stallMs: 500 } }));
  expect(error.message).toMatch(/: no data for 0\.5 s\./);
});

test("headers that arrive one byte at a time count as a stall", async () => {
  hub.disturb = ({ kind }, response) => {
    if (kind !== "info") return false;
    const timer = setInterval(() => response.socket?.write("x"), 20);
    response.socket?.write("HTTP/1.1 200 OK\r\nX-Endless: ");
    response.once("close", () => clearInterval(timer));
    return true;
  };
  const error = await failure(pull({ retries: { ...impatient, attempts: 2, stallMs: 500 } }));
  expect(error.message).toMatch(/: no data for 0\.5 s\./);
});

test("a slow transfer is no stall while it brings the least number of bytes, and neither is its small end", async () => {
  let whole = 0;
  disturbUnet(1, ({ from }, response, content) => {
    response.writeHead(200, { "Content-Length": content.length });
    // 4.2 MB in 2.3 s, which is longer than stallMs. The last chunk has 14 kB.
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
  await pull({ retries: { ...impatient, attempts: 1, stallMs: 1500, stallBytes: 150_000 } });
  expect([whole, starts(), missingOfLarge()]).toEqual([1, [0], []]);
});

test("a small response that is slow but ends in time is complete", async () => {
  hub.disturb = ({ path }, response, content) => {
    if (path !== "model_index.json") return false;
    trickle(response, content, 1);
    return true;
  };
  await pull({ retries: { ...impatient, attempts: 1, stallMs: 20_000 } });
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

test("if a hub denies a byte range, the whole file is requested; if it sends another range, the request is repeated", async () => {
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

test("after a checksum mismatch a file is downloaded once more; after two, it never gets its name", async () => {
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
  expect(error.message).toMatch(/unet.*: checksum mismatch, twice in a row: expected sha256 [0-9a-f]{64}/);
  expect(starts()).toEqual([0, 0]);
  expect(pathsIn(staged()).filter((path) => path.startsWith("unet/"))).toEqual(["unet/config.json"]);
  expect(existsSync(placed())).toBe(false);
});

test("a small file is verified with git's checksum", async () => {
  hub.disturb = (request, response, content) => {
    if (request.path !== "vae/config.json") return false;
    send(request, response, Buffer.from(`${content}`.replace("4", "5")));
    return true;
  };
  expect((await failure()).message).toMatch(/vae\/config.json: checksum mismatch.*expected git [0-9a-f]{40}/);
});

test("a hub that sends more bytes than it listed is stopped", async () => {
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
  expect((await failure()).message).toContain("the server sends more bytes than it listed");
  expect(sent).toBeLessThan(100e6);
});

test("a damaged or overlong partial file is not resumed", async () => {
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

test("a full or read-only disk is named, and the download is resumed when there is space", async ({ skip }) => {
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
      /models: the model cannot be installed here: the file system is read-only.*\n.*BARET_CACHE/,
    );
  } finally {
    execFileSync("umount", [cache()]);
  }
});

test("files of an unfinished pull of another variant do not get into the model", async () => {
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

test("a partial file of an older version is not resumed with a newer one", async () => {
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
