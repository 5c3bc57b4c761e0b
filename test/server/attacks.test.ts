import { readdirSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Listening, listen } from "../../src/http/node/index.ts";
import { insertPngText } from "../../src/image/index.ts";
import type { StoredPhoto } from "../../src/server/api/index.ts";
import { readBody, statusOf, UploadRoom } from "../../src/server/http/index.ts";
import { serverDialects } from "../../src/server/node/index.ts";
import { readForm } from "../../src/server/node/readForm.ts";
import { temporaryFolder } from "../support/files.ts";
import { testServer } from "../support/server.ts";

const server = await testServer((service) => ({
  dialects: serverDialects({ service, room: new UploadRoom(), onFault: (error) => console.error(error) }),
  studio: new Map([
    ["index.html", { bytes: new Uint8Array([60]), type: "text/html; charset=utf-8" }],
    ["assets/index-1.js", { bytes: new Uint8Array([59]), type: "text/javascript; charset=utf-8" }],
  ]),
}));
const guarded = await testServer({ token: "a-long-token" });
const at = temporaryFolder();
let listening: Listening;
beforeAll(async () => {
  listening = await listen({ fetch: server.app.fetch, address: "127.0.0.1", port: 0 });
});
afterAll(() => listening.close());

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Sends a request as it is, without the URL parser's clean-up of the path. */
function raw(
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  body?: Uint8Array | string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const own = { Host: `127.0.0.1:${listening.port}`, ...headers };
    const sent = request({ host: "127.0.0.1", port: listening.port, path, method, headers: own }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Sends bytes and returns all that comes back until the server closes the connection. */
function bytes(...parts: readonly (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(listening.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
    for (const part of parts) socket.write(part);
  });
}

/** The code of an answer, which must be an error in the shape of all errors. */
function codeOf({ status, body }: Pick<Reply, "status" | "body">): string {
  expect(status).toBeLessThan(500);
  const { error } = JSON.parse(body.toString());
  expect(error).toEqual(expect.objectContaining({ message: expect.any(String), type: expect.any(String) }));
  expect(error.message.split("\n").length).toBeLessThan(30);
  return error.code;
}

const json = { "Content-Type": "application/json" };
const png = { "Content-Type": "image/png" };
const paths = [
  "/",
  "/assets/index-1.js",
  "/health",
  "/metrics",
  "/openapi.json",
  "/api/v1/capabilities",
  "/api/v1/jobs",
  `/api/v1/pictures/${"0".repeat(64)}`,
  "/v1/models",
  "/sdapi/v1/options",
  "/nowhere",
];
const posts = [
  "/api/v1/photos",
  "/api/v1/jobs",
  "/api/v1/jobs/cancel",
  "/api/v1/jobs/remove",
  "/api/v1/session",
  "/v1/images/edits",
  "/sdapi/v1/interrupt",
];

describe("a foreign name or page gets nothing, on any path, with any method:", () => {
  test.each([
    ["a foreign name", { Host: "evil.example" }],
    ["a foreign name with this port", { Host: "PORT.evil.example" }],
    ["a name that begins as ours", { Host: "localhost.evil.example" }],
    ["a name that ends as ours", { Host: "evil-localhost" }],
    [
      "a foreign name whose page agrees, as in DNS rebinding",
      { Host: "evil.example", Origin: "http://evil.example", "Sec-Fetch-Site": "same-origin" },
    ],
    ["a page of another site", { "Sec-Fetch-Site": "cross-site" }],
    ["a page of another port", { "Sec-Fetch-Site": "same-site" }],
    ["a foreign origin", { Origin: "http://evil.example" }],
    ["this host on another port", { Origin: "http://127.0.0.1:1" }],
    ["a page without origin", { Origin: "null" }],
    [
      "a form that another page sends",
      { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe" },
    ],
  ])("%s", async (_, headers) => {
    for (const path of paths) {
      const reply = await raw(path, headers);
      expect(reply.status).toBe(403);
      expect(codeOf(reply)).toMatch(/^foreign_(host|page)$/);
      expect(reply.headers["access-control-allow-origin"]).toBeUndefined();
    }
    for (const path of posts) expect((await raw(path, { ...json, ...headers }, "POST", "{}")).status).toBe(403);
    for (const method of ["DELETE", "PUT", "OPTIONS", "PATCH"]) {
      expect((await raw(`/api/v1/jobs/${"0".repeat(32)}`, headers, method)).status).toBe(403);
    }
  });
});

test.each([
  "",
  ":80",
  "localhost@evil.example",
  "evil.example@localhost",
  "localhost/",
  "local host",
  "[::1",
  "\u00e9",
])("the name %j is none", async (host) => {
  for (const path of paths) {
    const answer = await bytes(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 (400|403) [\s\S]*"error"/);
  }
});

test("a request without Host, as HTTP/1.0 allows, and one with two, are refused", async () => {
  const { port } = listening;
  expect(await bytes("GET /api/v1/jobs HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 (400|403) /);
  const two = await bytes(
    `GET /health HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
  );
  expect(two).toMatch(/^HTTP\/1.1 (400|403) /);
  const absolute = await bytes(
    `GET http://evil.example/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
  );
  expect(absolute).toMatch(/^HTTP\/1.1 (400|403) /);
});

test("this machine's own names, addresses in digits and own pages are served", async () => {
  for (const host of ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:80", "192.168.1.7:7878"]) {
    expect((await raw("/health", { Host: host })).status).toBe(200);
    const page = { Host: host, Origin: `http://${host}`, "Sec-Fetch-Site": "same-origin" };
    expect((await raw("/api/v1/session", page, "POST")).status).toBe(204);
  }
});

test("a link of another site opens the page, and nothing else", async () => {
  const link = { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" };
  expect((await raw("/", link)).status).toBe(200);
  expect((await raw("/api/v1/session", link, "POST")).status).toBe(403);
});

test("everything has a strict policy, is not sniffed, and only files with hashes in their names are stored", async () => {
  for (const path of paths) {
    const { headers } = await raw(path);
    expect(headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["cache-control"]).toMatch(path.startsWith("/assets/") ? /^private, max-age=/ : /^no-(store|cache)$/);
  }
});

test("no path leads to a file", async () => {
  const before = await server.service.addPhoto(
    await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .png()
      .toBuffer(),
  );
  const up = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "..\\..\\etc\\passwd",
    "/etc/passwd",
    "%00",
    "....//etc/passwd",
    "~root",
    "C:\\x",
    "file:///etc/passwd",
    `${before.id.slice(0, 2)}/${before.id}`,
  ];
  for (const path of up) {
    for (const prefix of ["/", "/assets/", "/api/v1/pictures/", "/api/v1/jobs/", "/v1/models/"]) {
      const reply = await raw(`${prefix}${encodeURI(path).replaceAll("%25", "%")}`);
      expect([400, 403, 404, 405]).toContain(reply.status);
      codeOf(reply);
    }
    for (const body of [
      { kind: "edit", photo: path, target: "x" },
      { kind: "edit", photo: before.id, target: "x", model: path },
      { kind: "edit", photo: before.id, target: "x", method: path },
      { kind: "edit", photo: before.id, target: "x", preset: path },
      { kind: "edit", photo: before.id, target: "x", images: [path] },
      { kind: "edit", photo: before.id, target: "x", method: "masactrl", options: { targetMask: path } },
      {
        kind: "edit",
        photo: before.id,
        target: "x",
        method: "masactrl",
        options: { targetMask: { path, sha256: before.id } },
      },
      { kind: "attention", photo: before.id, target: "x", of: path },
      { kind: "compare", photo: before.id, target: "x", methods: [path] },
      { kind: "sweep", photo: before.id, target: "x", axes: { [path]: [1] } },
    ]) {
      const reply = await raw("/api/v1/jobs", json, "POST", JSON.stringify(body));
      expect({ body, status: reply.status }).toEqual({ body, status: 400 });
      codeOf(reply);
    }
  }
  expect(await server.queue.list()).toEqual([]);
});

test("a blob that is no picture is not served", async () => {
  const id = await server.blobs.put(new TextEncoder().encode("<script>alert(1)</script>"));
  expect(codeOf(await raw(`/api/v1/pictures/${id}`))).toBe("not_found");
  expect(codeOf(await raw(`/api/v1/pictures/${id}?side=64`))).toBe("not_found");
  const reply = await raw(
    "/api/v1/jobs",
    json,
    "POST",
    JSON.stringify({ kind: "edit", photo: "0".repeat(64), target: "x" }),
  );
  expect(codeOf(reply)).toBe("usage");
});

describe("uploads:", () => {
  const upload = (body: Uint8Array): Promise<Reply> => raw("/api/v1/photos", png, "POST", body);

  test("one that says that it is too long is refused before it is sent", async () => {
    const answer = await bytes(
      `POST /api/v1/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 99999999999\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  test("one that is too long without saying so is cut off", async () => {
    const chunk = Buffer.alloc(1 << 20);
    const sent = await new Promise<Reply>((resolve, reject) => {
      const headers = { Host: "localhost", ...png };
      const post = request(
        { host: "127.0.0.1", port: listening.port, path: "/api/v1/photos", method: "POST", headers },
        (response) => {
          const parts: Buffer[] = [];
          response
            .on("data", (part) => parts.push(part))
            .on("end", () =>
              resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
            );
        },
      );
      post.on("error", reject);
      const more = (left: number): void => {
        if (left === 0 || post.destroyed) return void post.end();
        post.write(chunk, () => more(left - 1));
      };
      more(80);
    }).catch((error: NodeJS.ErrnoException) => error.code);
    // A client that goes on sending may lose the answer with the connection.
    if (typeof sent === "string") expect(["EPIPE", "ECONNRESET"]).toContain(sent);
    else expect([sent?.status, codeOf(sent!)]).toEqual([413, "too_large"]);
  });

  test("a form that stops arriving ends with 408", async () => {
    const start = '--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n';
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(start)) });
    const headers = { "Content-Type": "multipart/form-data; boundary=b" };
    const slow = new Request("http://localhost/", { method: "POST", headers, body, duplex: "half" } as RequestInit);
    const limits = { bytes: 1000, fields: 9, files: 9, idleMs: 20 };
    const error = await readForm(slow, limits).catch((cause: unknown) => cause);
    expect([statusOf(error), (error as Error).message]).toEqual([408, "the body arrives too slowly."]);
  });

  test("one that stops arriving ends with 408", async () => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([137])) });
    const slow = new Request("http://localhost/", { method: "POST", body, duplex: "half" } as RequestInit);
    const error = await readBody(slow, { bytes: 100, idleMs: 20 }).catch((cause: unknown) => cause);
    expect([statusOf(error), (error as Error).message]).toEqual([408, "the body arrives too slowly."]);
    const dripping = new ReadableStream({
      pull: async (controller) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(new Uint8Array([137]));
      },
    });
    const drip = new Request("http://localhost/", { method: "POST", body: dripping, duplex: "half" } as RequestInit);
    const late = await readBody(drip, { bytes: 1 << 20, totalMs: 60 }).catch((cause: unknown) => cause);
    expect(statusOf(late)).toBe(408);
  });

  /** A PNG with a header of its own and no pixels. */
  const pngOf = (width: number, height: number, data: Uint8Array): Buffer => {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 2, 0, 0, 0], 8);
    const chunk = (type: string, content: Uint8Array): Buffer => {
      const out = Buffer.alloc(12 + content.length);
      out.writeUInt32BE(content.length, 0);
      out.write(type, 4, "latin1");
      out.set(content, 8);
      out.writeUInt32BE(crc32(out.subarray(4, 8 + content.length)), 8 + content.length);
      return out;
    };
    return Buffer.concat([
      Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
      chunk("IHDR", header),
      chunk("IDAT", data),
      chunk("IEND", new Uint8Array()),
    ]);
  };

  test.each([
    ["nothing", new Uint8Array()],
    ["text", Buffer.from("hello")],
    ["a page", Buffer.from("<html><script>alert(1)</script></html>")],
    [
      "an SVG with a file in it",
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    ],
    ["a PDF", Buffer.from("%PDF-1.7\n")],
    ["a bomb by its header", pngOf(60_000, 60_000, deflateSync(new Uint8Array(100)))],
    ["a bomb of one row", pngOf(2_000_000_000, 1, deflateSync(new Uint8Array(100)))],
    ["a picture without pixels", pngOf(0, 0, new Uint8Array())],
    ["a picture that ends early", pngOf(1000, 1000, deflateSync(new Uint8Array(100)))],
    ["a head alone", Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])],
    ["a GIF of zeros", Buffer.from("GIF89a\0\0\0\0\0\0\0")],
    ["a JPEG of noise", Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(5000, 0x5a)])],
  ])("%s is refused as no picture", async (_, body) => {
    const reply = await upload(body);
    expect(reply.status).toBe(400);
    expect(codeOf(reply)).toBe("image");
    expect(reply.body.toString()).not.toContain(tmpdir());
  });

  test("a picture that unpacks to 18 million pixels is stored, and the server answers meanwhile", async () => {
    const flat = await sharp({ create: { width: 9000, height: 2000, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const uploading = upload(flat);
    const delays: number[] = [];
    let isDone = false;
    void uploading.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      const began = performance.now();
      expect((await raw("/health")).status).toBe(200);
      delays.push(performance.now() - began);
    }
    expect((await uploading).status).toBe(201);
    expect(delays.length).toBeGreaterThan(3);
  });

  test("the record of a picture comes back without paths of the machine that made it", async () => {
    const record = {
      command: "edit",
      version: "0.1.0",
      model: { name: "/home/ann/models/secret.safetensors", sha256: "0".repeat(64) },
      engine: { device: "cpu", threads: 2 },
      photo: { path: "../holiday/dog.jpg", sha256: "1".repeat(64) },
      settings: {
        method: "masactrl",
        target: "a dog",
        targetMask: { path: "/home/ann/mask.png", sha256: "2".repeat(64) },
      },
    };
    const plain = await sharp({ create: { width: 8, height: 8, channels: 3, background: "blue" } })
      .png()
      .toBuffer();
    const reply = await upload(insertPngText(new Uint8Array(plain), { baret: JSON.stringify(record) }));
    const stored: StoredPhoto = JSON.parse(reply.body.toString());
    expect(reply.body.toString()).not.toMatch(/ann|holiday/);
    expect(stored.record).toMatchObject({
      model: { name: "secret.safetensors" },
      photo: { path: "dog.jpg" },
      settings: { method: "masactrl", target: "a dog" },
    });
    const { body } = await raw(`/api/v1/pictures/${stored.id}`);
    expect(body.toString("latin1")).not.toContain("baret");
  });

  test("another type, and a compressed body, are refused", async () => {
    for (const type of ["text/html", "image/svg+xml", "multipart/form-data; boundary=x", ""]) {
      expect(codeOf(await raw("/api/v1/photos", { "Content-Type": type }, "POST", "x"))).toBe("unsupported_media_type");
    }
    expect(codeOf(await raw("/api/v1/photos", { ...png, "Content-Encoding": "gzip" }, "POST", "x"))).toBe(
      "unsupported_media_type",
    );
  });

  test("no temporary file is left", async () => {
    vi.stubEnv("TMPDIR", at());
    expect((await upload(Buffer.from("hello"))).status).toBe(400);
    expect(
      (
        await upload(
          await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } })
            .png()
            .toBuffer(),
        )
      ).status,
    ).toBe(201);
    expect(readdirSync(at())).toEqual([]);
    vi.unstubAllEnvs();
  });
});

describe("floods:", () => {
  const post = (body: string): Promise<Reply> => raw("/api/v1/jobs", json, "POST", body);

  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["half a character", '{"kind":"edit","target":"\\ud800"}'],
    ["the character 0", '{"kind":"edit","target":"a\\u0000b"}'],
    ["a prototype", '{"__proto__":{"kind":"edit"},"kind":"edit"}'],
    ["bytes that are no UTF-8", "\xff\xfe"],
    ["a number", "7"],
    ["a list", "[]"],
    ["nothing but null", "null"],
    ["an unknown kind", '{"kind":"rm"}'],
    ["100,000 levels", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["100,000 levels in an option", `{"kind":"edit","options":{"alpha":${"[".repeat(100_000)}${"]".repeat(100_000)}}}`],
    [
      "50,000 unknown fields",
      JSON.stringify({ kind: "edit", ...Object.fromEntries(Array.from({ length: 50_000 }, (_, k) => [`f${k}`, k])) }),
    ],
    [
      "50,000 unknown options",
      JSON.stringify({
        kind: "edit",
        photo: "0".repeat(64),
        target: "x",
        options: Object.fromEntries(Array.from({ length: 50_000 }, (_, k) => [`f${k}`, k])),
      }),
    ],
    [
      "a sweep of 10^10 points",
      JSON.stringify({
        kind: "sweep",
        photo: "0".repeat(64),
        target: "x",
        axes: Object.fromEntries(
          ["guidance", "selfSteps", "crossSteps", "alpha", "power"].map((name) => [name, Array(100).fill(0.5)]),
        ),
      }),
    ],
    ["1e999", '{"kind":"edit","target":"x","options":{"guidance":1e999}}'],
  ])("%s in a body is refused in a few lines", async (_, body) => {
    const reply = await post(body);
    expect(reply.status).toBe(400);
    expect(codeOf(reply)).toBe("usage");
    expect(reply.body.length).toBeLessThan(20_000);
  });

  test("a body of more than 1 MiB is refused", async () => {
    expect(codeOf(await post(`{"target":"${"x".repeat(2 << 20)}"}`))).toBe("too_large");
  });

  test("long headers, long addresses and what is no HTTP are refused", async () => {
    const head = `GET /health HTTP/1.1\r\nHost: localhost\r\n`;
    expect(await bytes(`${head}X: ${"x".repeat(1 << 20)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 [\s\S]*"error"/);
    const many = Array.from({ length: 20_000 }, (_, k) => `X-${k}: x\r\n`).join("");
    expect(await bytes(`${head}${many}\r\n`)).toMatch(/^HTTP\/1.1 431 [\s\S]*"error"/);
    expect(await bytes(`GET /${"x".repeat(1 << 20)} HTTP/1.1\r\n`)).toMatch(/^HTTP\/1.1 431 [\s\S]*"error"/);
    expect(await bytes("hello\r\n\r\n")).toMatch(/^HTTP\/1.1 400 [\s\S]*"error"/);
    expect(await bytes("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
    const smuggled =
      "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n";
    expect(await bytes(smuggled)).toMatch(/^HTTP\/1.1 400 /);
  });

  test.each([
    "limit=0",
    "limit=1e9",
    "limit=-1",
    "limit=",
    "limit=1&limit=2",
    "states=gone",
    "states=",
    "before=x",
    "search=%00",
    "search=",
    `search=${"x".repeat(2000)}`,
    "__proto__=1",
    "unknown=1",
  ])("the query %s is refused", async (query) => {
    expect(codeOf(await raw(`/api/v1/jobs?${query}`))).toBe("usage");
  });

  test.each(["-1", "x", "1e3", "99999999999999999999", "2147483648", "1\u00e9"])(
    "the event number %s is refused",
    async (after) => {
      const photo = await server.photo();
      const target = `number ${after}`;
      const submitted = await server.ask("/api/v1/jobs", { body: { kind: "edit", photo, target } });
      const { id } = (await submitted.json()) as { id: string };
      expect(codeOf(await raw(`/api/v1/jobs/${id}/events`, { "Last-Event-ID": after }))).toBe("usage");
      await raw(`/api/v1/jobs/${id}/cancel`, {}, "POST");
    },
  );

  test("other methods are refused, with those that are allowed", async () => {
    for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const reply = await raw("/api/v1/jobs", {}, method);
      expect([reply.status, codeOf(reply), reply.headers.allow]).toEqual([
        405,
        "method_not_allowed",
        "POST, GET, HEAD",
      ]);
    }
  });

  test("a full queue answers 429 with the time to wait", async () => {
    const photo = await server.photo();
    const replies: Response[] = [];
    for (let k = 0; k < 52; k++) {
      replies.push(await server.ask("/api/v1/jobs", { body: { kind: "edit", photo, target: `dog ${k}` } }));
    }
    expect(replies.slice(0, 50).map(({ status }) => status)).toEqual(Array(50).fill(202));
    expect([replies[50].status, replies[50].headers.get("retry-after")]).toEqual([429, "7"]);
    expect((await server.ask("/api/v1/jobs/cancel", { method: "POST" })).status).toBe(200);
  });
});

describe("a server with a token", () => {
  const basic = (password: string): string => `Basic ${btoa(`user:${password}`)}`;

  test.each([
    ["none", undefined],
    ["a wrong one", "Bearer another token"],
    ["the beginning", "Bearer a-long"],
    ["an empty one", "Bearer "],
    ["another scheme", "Digest a-long-token"],
    ["a wrong password", basic("another")],
    ["no base64", "Basic %%%"],
  ])("serves nothing but its page to %s", async (_, authorization) => {
    const headers = { ...(authorization !== undefined && { Authorization: authorization }) };
    for (const path of [
      "/api/v1/jobs",
      "/api/v1/capabilities",
      "/metrics",
      "/openapi.json",
      `/api/v1/pictures/${"0".repeat(64)}`,
    ]) {
      const reply = await guarded.ask(path, { headers });
      expect(reply.status).toBe(401);
      expect(reply.headers.get("www-authenticate")).toContain("Bearer");
    }
    expect((await guarded.ask("/api/v1/photos", { headers, body: new Uint8Array(9) })).status).toBe(401);
    expect((await guarded.ask("/api/v1/session", { method: "POST", headers })).status).toBe(401);
    expect((await guarded.ask("/health", { headers })).status).toBe(200);
  });

  test("serves those who have it, also as a password", async () => {
    for (const authorization of ["Bearer a-long-token", "bearer a-long-token", basic("a-long-token")]) {
      const headers = { Authorization: authorization };
      expect((await guarded.ask("/api/v1/capabilities", { headers })).status).toBe(200);
    }
  });

  test("gives a page a cookie for it, which nobody can make or change", async () => {
    const session = { method: "POST", headers: { Authorization: "Bearer a-long-token" } };
    const given = (await guarded.ask("/api/v1/session", session)).headers.get("set-cookie")!;
    expect(given).toMatch(/^baret=[0-9a-f]{32}\.[0-9a-f]{64}; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Strict$/);
    const cookie = given.split(";")[0];
    const statusWith = async (Cookie: string): Promise<number> =>
      (await guarded.ask("/api/v1/jobs", { headers: { Cookie } })).status;
    expect(await statusWith(cookie)).toBe(200);
    const [id, signed] = cookie.slice("baret=".length).split(".");
    for (const forged of [
      id,
      `${id}.`,
      `${id}.${"0".repeat(64)}`,
      `${"0".repeat(32)}.${signed}`,
      `${id}.${signed}.x`,
    ]) {
      expect(await statusWith(`baret=${forged}`)).toBe(401);
    }
  });
});

test("clients see, cancel and remove their own jobs only", async () => {
  const session = await server.ask("/api/v1/session", { method: "POST" });
  const ann = { Cookie: session.headers.get("set-cookie")!.split(";")[0] };
  const body = { kind: "edit", photo: await server.photo(), target: "a dog of Ann" };
  const submitted = await server.ask("/api/v1/jobs", { body, headers: ann });
  const { id } = (await submitted.json()) as { id: string };
  const idsOf = async (headers?: Record<string, string>): Promise<string[]> => {
    const listed = await server.ask("/api/v1/jobs?limit=200", { headers });
    return ((await listed.json()) as { jobs: { id: string }[] }).jobs.map((job) => job.id);
  };
  expect([await idsOf(ann), (await idsOf()).includes(id)]).toEqual([[id], false]);
  await server.ask("/api/v1/jobs/cancel", { method: "POST" });
  await server.ask(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
  expect((await server.queue.get(id))?.state).toBe("queued");
  await server.ask("/api/v1/jobs/cancel", { method: "POST", headers: ann });
  expect((await server.queue.get(id))?.state).toBe("cancelled");
  expect((await server.ask(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(404);
  expect((await server.ask(`/api/v1/jobs/${id}`, { method: "DELETE", headers: ann })).status).toBe(204);
});

/** CRC-32 (ISO 3309). */
function crc32(data: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of data) {
    c ^= byte;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  }
  return ~c >>> 0;
}
