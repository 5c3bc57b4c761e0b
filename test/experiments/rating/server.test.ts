import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UsageError } from "../../../src/core/index.ts";
import { type RatingServer, readRaters, readStudy, serveRating } from "../../../src/experiments/node/index.ts";
import { ratingResults } from "../../../src/experiments/rating/index.ts";
import type { Study } from "../../../src/experiments/rating/study.ts";
import { decodeImage } from "../../../src/image/node/index.ts";
import { temporaryFolder } from "../../support/files.ts";
import { answerSome, ask, fields, linesOf, methodNames, writeStudy } from "./folder.ts";

const at = temporaryFolder();
const folder = at("study");
let study: Study;
let server: RatingServer;
beforeAll(async () => {
  study = await writeStudy(folder, 4);
  server = await serveRating(folder, { seed: 1 });
});
afterAll(() => server.close());

const port = (): number => Number(new URL(server.url).port);

/** Sends a request as it is, without the URL parser's clean-up of the path. Returns status, headers and body. */
function raw(
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  body = "",
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: port(), path, method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(parts).toString("latin1"),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const files = (): string[] => readdirSync(at(), { recursive: true, encoding: "utf8" }).sort();

test("a session asks all questions, saves every answer at once, and ends", async () => {
  const { value: first } = await ask(server.url, "next", { rater: "ann", mode: "score" });
  expect(first).toMatchObject({ done: 0, total: 14, canUndo: false });
  const half = await answerSome(server.url, "ann", "score", 7);
  expect(half).toMatchObject({ done: 7, total: 14, canUndo: true });
  expect(linesOf(folder, "ann")).toHaveLength(7);
  const end = await answerSome(server.url, "ann", "score", 7);
  expect(end).toEqual({ done: 14, total: 14, canUndo: true });
  const lines = linesOf(folder, "ann");
  expect(lines.filter(({ repeat }) => repeat)).toHaveLength(2);
  expect(lines[0]).toEqual({
    mode: "score",
    edit: { method: expect.any(String), file: expect.stringMatching(/^edits\//) },
    score: 1,
    case: expect.any(String),
    repeat: false,
    time: expect.stringMatching(/^\d{4}-/),
    seconds: expect.any(Number),
  });
  const { score } = ratingResults(await readStudy(folder), await readRaters(folder));
  expect(score!.methods.map(({ method, overCases }) => [method, overCases.value])).toEqual(
    methodNames.map((method) => [method, 1]),
  );
});

test("nothing that the page gets tells a method or a file", async () => {
  const seen: string[] = [];
  for (const path of ["/", "/page.js", "/page.css"]) seen.push((await raw(path, { Host: `127.0.0.1:${port()}` })).body);
  const names = new Set<string>();
  for (const mode of ["score", "pairs"] as const) {
    let { value } = await ask(server.url, "next", { rater: "blind", mode });
    while (value.question) {
      seen.push(JSON.stringify(value));
      const { id, photo, edits } = value.question;
      for (const name of [photo, ...edits]) {
        expect(names.has(name)).toBe(false);
        names.add(name);
        const { status, headers, body } = await raw(`/picture/${name}`, { Host: `127.0.0.1:${port()}` });
        expect({ status, type: headers["content-type"] }).toEqual({ status: 200, type: "image/png" });
        seen.push(body, JSON.stringify(headers));
      }
      ({ value } = await ask(server.url, "answer", { rater: "blind", mode, id, answer: mode === "score" ? 3 : "tie" }));
    }
  }
  const text = seen.join("\n");
  for (const word of [...methodNames, "edits/", "cases/", "case-", "0f.png", folder]) expect(text).not.toContain(word);
  // The text is there in the files themselves.
  expect(readFileSync(at("study", study.cases[0].edits[0].file), "latin1")).toContain(methodNames[0]);
});

test("the pictures of a question are its photo and its edits, pixel for pixel", async () => {
  const { value } = await ask(server.url, "next", { rater: "looker", mode: "pairs" });
  const { target, photo, edits } = value.question!;
  const number = Number(/\d+$/.exec(target)![0]);
  const pictures = await Promise.all(
    [photo, ...edits].map(async (name) => {
      const response = await fetch(new URL(`/picture/${name}`, server.url));
      return decodeImage(new Uint8Array(await response.arrayBuffer()));
    }),
  );
  expect(pictures[0]).toEqual(fields(100 * number));
  await answerSome(server.url, "looker", "pairs", 1);
  const [{ left, right }] = linesOf(folder, "looker") as { left: { method: string }; right: { method: string } }[];
  for (const [k, { method }] of [left, right].entries()) {
    expect(pictures[k + 1]).toEqual(fields(100 * number + methodNames.indexOf(method) + 1));
  }
});

test.each([
  ["a name of another site", { Host: "evil.example" }],
  ["a name of another site with this port", { Host: "PORT.evil.example" }],
  ["another port", { Host: "127.0.0.1:1" }],
  ["another address of this machine", { Host: "127.0.0.2" }],
  ["a name that begins as ours", { Host: "127.0.0.1.evil.example" }],
  ["a page of another site", { "Sec-Fetch-Site": "cross-site" }],
  ["a page of another port", { "Sec-Fetch-Site": "same-site" }],
  ["the origin of another site", { Origin: "http://evil.example" }],
  ["a page without origin", { Origin: "null" }],
])("a request from %s is refused, whatever it asks", async (_, headers) => {
  const own = { Host: `127.0.0.1:${port()}`, "Content-Type": "application/json" };
  const sent = { ...own, ...headers };
  const before = files();
  for (const path of ["/", "/page.js", "/picture/x", "/api/next", "/nowhere"]) {
    const { status, headers: got } = await raw(path, sent);
    expect(status).toBe(403);
    expect(got["access-control-allow-origin"]).toBeUndefined();
  }
  const posted = await raw("/api/next", sent, "POST", JSON.stringify({ rater: "mallory", mode: "score" }));
  expect(posted.status).toBe(403);
  expect(files()).toEqual(before);
});

test("the page's own origin and the name localhost are accepted", async () => {
  const body = JSON.stringify({ rater: "ann" });
  for (const host of ["127.0.0.1", "localhost"].map((name) => `${name}:${port()}`)) {
    const headers = {
      Host: host,
      Origin: `http://${host}`,
      "Sec-Fetch-Site": "same-origin",
      "Content-Type": "application/json",
    };
    expect((await raw("/api/totals", headers, "POST", body)).status).toBe(200);
  }
});

test("a form of another page cannot post, and a preflight allows nothing", async () => {
  const body = JSON.stringify({ rater: "mallory", mode: "score" });
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", ""]) {
    const { status } = await raw("/api/next", { Host: `127.0.0.1:${port()}`, "Content-Type": type }, "POST", body);
    expect(status).toBe(415);
  }
  const preflight = await raw(
    "/api/next",
    { Host: `127.0.0.1:${port()}`, "Access-Control-Request-Method": "POST" },
    "OPTIONS",
  );
  expect(preflight.status).toBe(404);
  expect(Object.keys(preflight.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test("the page may load its own script, style and pictures, and nothing else; nothing is stored", async () => {
  for (const path of ["/", "/page.js", "/nowhere"]) {
    const { headers } = await raw(path, { Host: `127.0.0.1:${port()}` });
    expect(headers["content-security-policy"]).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
    });
  }
});

test.each([
  "/picture/../rating.json",
  "/picture/..%2f..%2frating.json",
  "/picture/%2e%2e/%2e%2e/etc/passwd",
  "/picture/....//rating.json",
  "/picture/edits%2fcase-0%2fzebra-method-0f.png",
  "/picture/edits/case-0/zebra-method-0f.png",
  "/picture//etc/passwd",
  "/picture/rating.json%00.png",
  "/picture/__proto__",
  "/picture/",
  "/../rating.json",
  "/ratings/ann.jsonl",
  "/rating.json",
  "/page.js/../../rating.json",
  `/picture/${"a".repeat(6000)}`,
])("%s gives no file", async (path) => {
  const { status, body } = await raw(path, { Host: `127.0.0.1:${port()}` });
  expect([400, 403, 404]).toContain(status);
  expect(body).not.toMatch(/method|root:|PNG/);
});

test("only the current question can be answered: unknown, old, foreign and repeated answers change nothing", async () => {
  const next = async (rater: string, mode: string) => (await ask(server.url, "next", { rater, mode })).value.question!;
  const [own, other, pairs] = [await next("eve", "score"), await next("bob", "score"), await next("eve", "pairs")];
  const answer = (id: unknown, value: unknown = 3) =>
    ask(server.url, "answer", { rater: "eve", mode: "score", id, answer: value });
  for (const id of ["", "x", other.id, pairs.id, own.photo, own.edits[0], "__proto__"]) {
    expect((await answer(id)).status).toBe(409);
  }
  expect(existsSync(at("study/ratings/eve.jsonl"))).toBe(false);
  expect((await answer(own.id)).status).toBe(200);
  expect((await answer(own.id)).status).toBe(409);
  expect(linesOf(folder, "eve")).toHaveLength(1);
});

test("of twenty answers at once, one is saved", async () => {
  const { value } = await ask(server.url, "next", { rater: "quick", mode: "score" });
  const sent = Array.from({ length: 20 }, (_, k) =>
    ask(server.url, "answer", { rater: "quick", mode: "score", id: value.question!.id, answer: 1 + (k % 5) }),
  );
  const statuses = (await Promise.all(sent)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(linesOf(folder, "quick")).toHaveLength(1);
});

test.each<[string, string, unknown]>([
  ["score", "6", 6],
  ["score", "0", 0],
  ["score", "2.5", 2.5],
  ["score", "a text", "3"],
  ["score", "a choice", "left"],
  ["score", "nothing", undefined],
  ["score", "a list", [3]],
  ["pairs", "a score", 3],
  ["pairs", "an unknown choice", "neither"],
  ["pairs", "null", null],
])("in mode %s, the answer %s is refused", async (mode, _, answer) => {
  const { value } = await ask(server.url, "next", { rater: "odd", mode });
  const reply = await ask(server.url, "answer", { rater: "odd", mode, id: value.question!.id, answer });
  expect(reply.status).toBe(400);
  expect(reply.value.error!.message).toMatch(/^answer: found .*, expected /);
  expect(existsSync(at("study/ratings/odd.jsonl"))).toBe(false);
});

test.each<[string, unknown]>([
  ["no JSON", "{"],
  ["nothing", ""],
  ["null", "null"],
  ["a list", "[]"],
  ["no mode", { rater: "x" }],
  ["an unknown mode", { rater: "x", mode: "stars" }],
  ["an unknown field", { rater: "x", mode: "score", admin: true }],
  ["a name of nothing", { rater: " ", mode: "score" }],
  ["a path as a name", { rater: "../../x", mode: "score" }],
  ["a slash in a name", { rater: "a/b", mode: "score" }],
  ["a hidden name", { rater: ".lock", mode: "score" }],
  ["a dot in a name", { rater: "a.b", mode: "score" }],
  ["a null in a name", { rater: "a\0b", mode: "score" }],
  ["a name too long", { rater: "a".repeat(41), mode: "score" }],
  ["a name of another type", { rater: ["x"], mode: "score" }],
])("a request with %s is refused", async (_, body) => {
  const before = files();
  for (const path of ["next", "answer", "undo"]) {
    const { status, value } = await ask(server.url, path, body);
    expect(status).toBe(400);
    expect(value.error!.message.length).toBeLessThan(1000);
  }
  expect(files()).toEqual(before);
});

test("a huge body is refused, with and without its length", async () => {
  const huge = JSON.stringify({ rater: "x", mode: "score", id: "x".repeat(20_000_000), answer: 1 });
  const refused = await ask(server.url, "answer", huge).catch(() => ({ status: 413 }));
  expect(refused.status).toBe(413);
  const chunked = await new Promise<string>((resolve) => {
    const socket = connect(port(), "127.0.0.1");
    const head = `POST /api/answer HTTP/1.1\r\nHost: 127.0.0.1:${port()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    socket.write(`${head}${`10000\r\n${"x".repeat(0x10000)}\r\n`.repeat(20)}`);
    let text = "";
    socket.on("data", (part) => {
      text += part;
      if (/\r\n\r\n/.test(text)) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
  expect(chunked).toMatch(/^HTTP\/1.1 413 /);
  expect((await ask(server.url, "totals", { rater: "ann" })).status).toBe(200);
});

test("upper and lower case are one name, and letters of any script are letters", async () => {
  await answerSome(server.url, "Zoë", "score", 2);
  await answerSome(server.url, "ZOE\u0308", "score", 1);
  expect(linesOf(folder, "zoë")).toHaveLength(3);
});

test("an undo withdraws the last answer of its mode and asks again", async () => {
  const first = (await ask(server.url, "next", { rater: "undoer", mode: "pairs" })).value;
  await answerSome(server.url, "undoer", "score", 1);
  await answerSome(server.url, "undoer", "pairs", 2);
  const undo = async () => (await ask(server.url, "undo", { rater: "undoer", mode: "pairs" })).value;
  expect(await undo()).toMatchObject({ done: 1, canUndo: true });
  expect(await undo()).toEqual(first);
  expect(await undo()).toEqual(first);
  expect((await ask(server.url, "totals", { rater: "undoer" })).value).toMatchObject({
    score: { done: 1 },
    pairs: { done: 0 },
  });
  // Lines are added only.
  expect(linesOf(folder, "undoer").filter((line) => "undo" in line)).toHaveLength(2);
  expect((await readRaters(folder)).get("undoer")!.answers).toHaveLength(1);
});

test("only this machine can reach the server", async () => {
  const outer = Object.values(networkInterfaces())
    .flat()
    .filter((one) => one !== undefined && !one.internal && one.family === "IPv4");
  for (const { address } of outer as { address: string }[]) {
    const reached = await new Promise((resolve) => {
      const socket = connect(port(), address, () => resolve(true));
      socket.on("error", () => resolve(false));
    });
    expect(reached, address).toBe(false);
  }
  expect(new URL(server.url).hostname).toBe("127.0.0.1");
});

test("a folder has one server at a time; the next one goes on with the same answers and new names of pictures", async () => {
  const other = at("twice");
  await writeStudy(other, 3);
  const first = await serveRating(other, { seed: 0 });
  await expect(serveRating(other, { seed: 0 })).rejects.toThrow(/another server has these ratings/);
  const before = await answerSome(first.url, "ann", "pairs", 4);
  await first.close();
  const second = await serveRating(other, { seed: 0 });
  const { value: after } = await ask(second.url, "next", { rater: "ann", mode: "pairs" });
  expect(after.done).toBe(4);
  expect(after.question!.target).toBe(before.question!.target);
  expect(after.question!.photo).not.toBe(before.question!.photo);
  expect(
    (await ask(second.url, "answer", { rater: "ann", mode: "pairs", id: before.question!.id, answer: "tie" })).status,
  ).toBe(409);
  await second.close();
});

test("half a line of a killed process costs that answer only", async () => {
  const other = at("killed");
  await writeStudy(other, 3);
  const first = await serveRating(other, { seed: 0 });
  await answerSome(first.url, "ann", "score", 3);
  await first.close();
  const path = at("killed/ratings/ann.jsonl");
  const whole = readFileSync(path, "utf8");
  appendFileSync(path, '{"mode":"score","edit":{"met');
  const second = await serveRating(other, { seed: 0 });
  await answerSome(second.url, "ann", "score", 1);
  await second.close();
  expect(readFileSync(path, "utf8").startsWith(`${whole}{"mode":"score","edit":{"met\n{"mode"`)).toBe(true);
  expect((await readRaters(other)).get("ann")).toMatchObject({ answers: { length: 4 }, broken: 1 });
});

test("an answer that cannot be saved does not count, and can be given again", async () => {
  const other = at("full");
  await writeStudy(other, 2);
  const own = await serveRating(other, { seed: 0 });
  const { question } = await answerSome(own.url, "ann", "score", 1);
  const path = at("full/ratings/ann.jsonl");
  renameSync(path, at("kept"));
  mkdirSync(path);
  const body = { rater: "ann", mode: "score", id: question!.id, answer: 5 };
  const failed = await ask(own.url, "answer", body);
  expect(failed).toMatchObject({ status: 500, value: { error: { code: "storage" } } });
  rmSync(path, { recursive: true });
  renameSync(at("kept"), path);
  expect((await ask(own.url, "answer", body)).value.done).toBe(2);
  expect(linesOf(other, "ann")).toHaveLength(2);
  await own.close();
});

test("with one rater given, others are refused", async () => {
  const other = at("one");
  await writeStudy(other, 1);
  const own = await serveRating(other, { seed: 0, rater: "ann" });
  expect((await ask(own.url, "totals", { rater: "Ann" })).status).toBe(200);
  const refused = await ask(own.url, "totals", { rater: "bob" });
  expect(refused).toMatchObject({ status: 400, value: { error: { message: "rater: found bob, expected ann." } } });
  await own.close();
});

test("a title is text, not HTML", async () => {
  const other = at("title");
  const made = await writeStudy(other, 1);
  writeFileSync(
    at("title/rating.json"),
    JSON.stringify({ ...made, title: '</title><script>alert(1)</script>" & <b>' }),
  );
  const own = await serveRating(other, { seed: 0 });
  const page = await (await fetch(own.url)).text();
  expect(page).not.toContain("<script>alert");
  expect(page).toContain("&lt;script&gt;alert(1)");
  await own.close();
});

test("a folder with problems is refused before anything is served, with all problems at once", async () => {
  const other = at("wrong");
  await expect(serveRating(other, { seed: 0 })).rejects.toThrow(
    /wrong\/rating\.json: cannot be read: .*\n.*docs\/rating\.md/,
  );
  const made = await writeStudy(other, 2);
  const write = (text: string): void => writeFileSync(at("wrong/rating.json"), text);
  rmSync(at("wrong", made.cases[0].photo));
  writeFileSync(at("wrong", made.cases[1].edits[0].file), "no picture");
  const error: unknown = await serveRating(other, { seed: 0 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toMatch(/case-0\/photo\.png.*\n.*zebra-method-0f\.png/);
  write("{");
  await expect(serveRating(other, { seed: 0 })).rejects.toThrow(UsageError);
  write(JSON.stringify({ cases: [{ ...made.cases[0], photo: "../photo.png", kind: 3 }] }));
  await expect(serveRating(other, { seed: 0 })).rejects.toThrow(/cases\.0\.kind.*\n.*cases\.0\.photo/);
  expect(existsSync(at("wrong/ratings"))).toBe(false);
});

test("a port that is taken is an error that names it", async () => {
  const other = at("port");
  await writeStudy(other, 1);
  await expect(serveRating(other, { seed: 0, port: port() })).rejects.toThrow(
    new RegExp(`port ${port()}: the port cannot be used`),
  );
  // The folder is free again.
  const own = await serveRating(other, { seed: 0 });
  await own.close();
});
