import { readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CancelledError, HubError, type Progress } from "../../src/core/index.ts";
import { type HubRequest, LocalHub } from "../support/hub.ts";
import {
  cache,
  failure,
  hub,
  impatient,
  large,
  largeUnet,
  missingOfLarge,
  pathsIn,
  placed,
  pull,
  staged,
  starts,
  unet,
  useHub,
} from "./hub.ts";

useHub(large);

/** The partial file of the U-Net's weights. */
function part(): { path: string; size: number } {
  const [name] = pathsIn(staged()).filter((path) => path.endsWith(".part"));
  return { path: join(staged(), name), size: statSync(join(staged(), name)).size };
}

/** Answers requests of a kind with these statuses in turn; later requests normally, or with the last status for ever. */
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
  "a server error in %s is retried, but not for ever",
  async (kind) => {
    for (const statuses of [
      [500, 502, 503],
      [504, 408, 429],
    ]) {
      answerWith(kind, statuses);
      await pull();
      expect(missingOfLarge()).toEqual([]);
      for (const path of [unet, "unet/config.json"]) rmSync(join(placed(), path));
    }
    answerWith(kind, [500], { forEver: true });
    hub.requests.length = 0;
    const error = await failure();
    expect(error).toMatchObject({ code: "hub", category: "failure" });
    expect(error.message).toMatch(/fails: found HTTP 500.*\n.*later/);
    expect(hub.count(kind)).toBe(impatient.attempts);
  },
);

test("Retry-After is respected, unless it is too long", async () => {
  answerWith("info", [429], { headers: { "Retry-After": "1" } });
  const told: Progress[] = [];
  const start = Date.now();
  await pull({ onProgress: (progress) => told.push(progress) });
  expect(Date.now() - start).toBeGreaterThan(950);
  expect(told.filter(({ phase }) => phase === "wait for the hub").map(({ note }) => note)).toEqual([
    "tiny/sd: too many requests to the hub: found HTTP 429; retry in 1 s",
  ]);
  rmSync(cache(), { recursive: true });
  answerWith("info", [429], { headers: { "Retry-After": new Date(Date.now() + 3_600_000).toUTCString() } });
  hub.requests.length = 0;
  expect((await failure()).message).toMatch(/too many requests.*\n.*HF_TOKEN raises the limit/);
  expect(hub.count("info")).toBe(1);
});

test("if a signed storage address has expired, a new one is requested", async () => {
  answerWith("blob", [403, 403]);
  await pull();
  expect(missingOfLarge()).toEqual([]);
});

test("the token is sent to the hub and not to its storage host", async () => {
  hub.repositories["tiny/sd"].gated = "for everyone with a token";
  await pull({ token: "hf_known" });
  expect(hub.requests.filter(({ kind, token }) => (kind === "blob") === (token !== undefined))).toEqual([]);
  expect(missingOfLarge()).toEqual([]);
});

test.each([
  ["a model that does not exist", { name: "tiny/none" }, /does not exist at .*, or is private.*\n.*spelling.*HF_TOKEN/],
  ["the same, asked by somebody known", { name: "tiny/none", token: "hf_known" }, /does not exist.*404.*\n.*spelling/],
  ["a revision that does not exist", { revision: "none" }, /no such revision: found "none".*\nA revision is a branch/],
  ["a wrong token", { token: "hf_wrong" }, /HF_TOKEN is invalid.*401.*Invalid credentials.*\n.*unset HF_TOKEN/],
])("%s is refused at once with exit code 3 and advice", async (_, options, message) => {
  const error = await failure(pull(options));
  expect(error).toBeInstanceOf(HubError);
  expect(error.category).toBe("model");
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain("hf_wrong");
  expect(hub.requests).toHaveLength(1);
});

test("a gated model is refused with advice, different with and without a token", async () => {
  hub.repositories["tiny/sd"].gated = "for nobody";
  for (const [token, advice] of [
    [undefined, /Accept the model's terms at .*\/tiny\/sd.*set HF_TOKEN/],
    ["hf_known", /account of HF_TOKEN has no access/],
  ] as const) {
    const error = await failure(pull({ token }));
    expect(error.category).toBe("model");
    expect(error.message).toMatch(advice);
  }
});

describe("a mirror that redirects to another host", () => {
  let mirror: Server;
  let endpoint: string;
  beforeEach(async () => {
    mirror = createServer(({ url }, response) => {
      response.writeHead(307, { Location: `${hub.endpoint}${url}` }).end();
    });
    await new Promise<void>((resolve) => mirror.listen(0, "127.0.0.1", resolve));
    endpoint = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    mirror.closeAllConnections();
    await new Promise((resolve) => mirror.close(resolve));
  });

  const mirrored = (options: { name?: string; token?: string; revision?: string } = {}) => {
    const { token, ...rest } = options;
    return pull({ ...rest, access: { endpoint, ...(token && { token }) } });
  };

  test("provides the model", async () => {
    await mirrored();
    expect(missingOfLarge()).toEqual([]);
  });

  test.each([
    ["a missing model", { name: "tiny/none" }, /does not exist at http:\S+ \(http:\S+ redirects there\).*\n.*spelling/],
    ["a missing revision", { revision: "none" }, /no such revision: found "none"/],
  ])("%s is refused at once, and the message names the answering host", async (_, options, message) => {
    const error = await failure(mirrored(options));
    expect(error).toMatchObject({ code: "hub", category: "model" });
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("was not sent");
    expect(hub.requests).toHaveLength(1);
  });

  test("a gated model is refused at the first file", async () => {
    hub.repositories["tiny/sd"].gated = "for everyone with a token";
    const error = await failure(mirrored());
    expect(error).toMatchObject({ code: "hub", category: "model" });
    expect(error.message).toMatch(/accepted the model's terms.*401.*\nAccept the model's terms .* set HF_TOKEN/);
    expect(hub.count("file")).toBe(1);
  });

  test.each(["for everyone with a token", "for nobody"] as const)(
    "the token is not sent to the other host, and a refusal says so: gated %s",
    async (gated) => {
      hub.repositories["tiny/sd"].gated = gated;
      const { message } = await failure(mirrored({ token: "hf_known" }));
      expect(message).toContain("access is restricted");
      expect(message).toContain(`HF_TOKEN was not sent to ${hub.endpoint}`);
      expect(message).toContain(`set HF_ENDPOINT=${hub.endpoint}`);
      expect(message).not.toContain("hf_known");
      expect(hub.requests.filter(({ token }) => token !== undefined)).toEqual([]);
      const { message: missing } = await failure(mirrored({ name: "tiny/none", token: "hf_known" }));
      expect(missing).toMatch(/does not exist.*HF_TOKEN was not sent/s);
    },
  );

  test("a missing model is refused at once, also if the response has no error code", async () => {
    answerWith("info", [404], { forEver: true });
    expect((await failure(mirrored())).message).toContain("does not exist");
    expect(hub.requests).toHaveLength(1);
  });

  test("a server error of the other host is retried", async () => {
    answerWith("info", [500, 503]);
    await mirrored();
    expect(missingOfLarge()).toEqual([]);
  });
});

/** An address where nobody listens. */
async function deadEndpoint(): Promise<string> {
  const other = await new LocalHub({}).start();
  const { endpoint } = other;
  await other.stop();
  return endpoint;
}

test("an unreachable hub is given up at once if the host is unknown or refuses, otherwise after several tries", async () => {
  for (const endpoint of ["http://hub.invalid", await deadEndpoint()]) {
    const error = await failure(pull({ access: { endpoint }, retries: { ...impatient, firstDelayMs: 60_000 } }));
    expect(error).toMatchObject({ code: "hub", category: "failure" });
    expect(error.message).toMatch(/cannot be reached.*\n.*HF_ENDPOINT.*copy the model/);
  }
  hub.disturb = (_, response) => {
    response.destroy();
    return true;
  };
  expect((await failure()).message).toContain("the connection failed");
  expect(hub.requests).toHaveLength(impatient.attempts);
});

/** A controller, and the milliseconds since it was aborted. */
function cancelling(): { abort: AbortController; sinceAbort: () => number } {
  const abort = new AbortController();
  let when = Number.NaN;
  abort.signal.addEventListener("abort", () => {
    when = performance.now();
  });
  return { abort, sinceAbort: () => performance.now() - when };
}

test.each(["info", "tree", "file", "blob"] as const)(
  "if a pull is cancelled while it waits for %s, it stops at once and keeps the bytes that arrived",
  async (kind) => {
    const { abort, sinceAbort } = cancelling();
    hub.disturb = (request, response, content) => {
      if (request.kind !== kind) return false;
      if (kind === "blob")
        response.writeHead(200, { "Content-Length": content.length }).write(content.subarray(0, 100));
      else setImmediate(() => abort.abort());
      return true;
    };
    const onProgress = ({ phase, done }: Progress): void => {
      if (kind === "blob" && phase === "download" && done > 0) abort.abort();
    };
    expect(await failure(pull({ signal: abort.signal, onProgress }))).toBeInstanceOf(CancelledError);
    expect(sinceAbort()).toBeLessThan(1000);
    const kept = kind === "blob" && part().size;
    hub.disturb = () => false;
    hub.requests.length = 0;
    await pull();
    expect(missingOfLarge()).toEqual([]);
    if (kind === "blob") expect([starts(), hub.count("file", /json$/)]).toEqual([[kept], 0]);
  },
);

test("if a pull is cancelled before a retry or before it begins, it stops at once", async () => {
  answerWith("info", [500], { forEver: true });
  const { abort, sinceAbort } = cancelling();
  const retries = { ...impatient, firstDelayMs: 1999 };
  const work = pull({
    signal: abort.signal,
    retries,
    onProgress: ({ phase }) => phase !== "look up" && abort.abort(),
  });
  expect(await failure(work)).toBeInstanceOf(CancelledError);
  expect(sinceAbort()).toBeLessThan(1000);
  hub.requests.length = 0;
  expect(await failure(pull({ signal: abort.signal }))).toBeInstanceOf(CancelledError);
  expect(hub.requests).toEqual([]);
});

test("if a fast transfer is cancelled in the middle, the partial file is kept and resumed", async () => {
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
  expect(missingOfLarge()).toEqual([]);
});
