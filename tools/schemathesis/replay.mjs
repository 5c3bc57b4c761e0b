// Sends requests that run.py has recorded again and again, each time changed at random, and checks every answer. Schemathesis makes
// about ten requests a second; this makes some hundreds, so that 100,000 take minutes.
//
//     python tools/schemathesis/run.py http://127.0.0.1:17878 --examples 400 --record cases.jsonl
//     node tools/schemathesis/replay.mjs http://127.0.0.1:17878 cases.jsonl --requests 100000 --seed 1
//
// An answer is wrong if it is 5xx but for 503 with Retry-After, if the OpenAPI document does not name its status, if an error is no
// JSON with a message, or if it does not come within 20 s. Prints the wrong ones, and counts by status and API.
import { readFileSync } from "node:fs";
import { Agent, request as open } from "node:http";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { requests: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});
const [server, file] = positionals;
const WORKERS = 16;
const LIMIT_MS = 20_000;
/** A request that waits for an edit is left after this long. Nobody makes it. */
const EDIT_MS = 300;

/** Marsaglia's xorshift, so that a seed gives the same requests again. */
let state = Number(values.seed) * 2654435761 + 1;
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}
const below = (count) => Math.floor(random() * count);
const pick = (list) => list[below(list.length)];

const document = await (await fetch(new URL("openapi.json", server))).json();
/** Operations by their names: "GET /api/v1/jobs/{id}". */
const operations = new Map(
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => {
      const pattern = path.split(/\{\w+\}/).map((text) => text.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&"));
      return [`${method.toUpperCase()} ${path}`, { path: new RegExp(`^${pattern.join("[^/?]+")}$`), ...one }];
    }),
  ),
);
const cases = readFileSync(file, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line))
  .map((one) => ({ ...one, body: Buffer.from(one.body, "base64") }));

const odd = [
  ...[
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "null",
    "true",
    "auto",
    "128x128",
    "../../etc/passwd",
    "%00",
    "%2e%2e%2f",
    "__proto__",
  ],
  ...[
    "😀",
    "\u202e",
    "a".repeat(5000),
    "[]",
    "{}",
    "'; drop table jobs; --",
    "<script>",
    "http://localhost/x",
    "0.8:0.1",
  ],
  ...["bytes=0-5", "bytes=-1", "\u0000", "\ud800", "constructor", "baret", "sdedit", "menagerie", "a".repeat(64)],
];
const numbers = [0, 1, -1, 0.5, 2, 3, 20, 1e300, -1e300, 2 ** 31, 2 ** 53, 64];

/** A random value of JSON. */
function value(depth = 0) {
  const kind = below(depth > 3 ? 5 : 7);
  if (kind === 0) return pick(odd);
  if (kind === 1) return pick(numbers);
  if (kind === 2) return null;
  if (kind === 3) return random() < 0.5;
  if (kind === 4) return [];
  if (kind === 5) return Array.from({ length: below(3) }, () => value(depth + 1));
  return { [pick(odd)]: value(depth + 1) };
}

/** Changes one place of a value of JSON. */
function changed(whole) {
  if (typeof whole !== "object" || whole === null || random() < 0.1) return value();
  const keys = Object.keys(whole);
  if (keys.length === 0 || random() < 0.1)
    return Array.isArray(whole) ? [...whole, value()] : { ...whole, [pick(odd)]: value() };
  const key = pick(keys);
  const copy = Array.isArray(whole) ? [...whole] : { ...whole };
  if (random() < 0.15) delete copy[key];
  else if (random() < 0.1) copy[pick(odd)] = copy[key];
  else copy[key] = changed(copy[key]);
  return copy;
}

/** Changes some bytes, or leaves some out. */
function damaged(body) {
  const copy = Buffer.from(body);
  if (copy.length === 0) return Buffer.from(pick(odd));
  if (random() < 0.3) return copy.subarray(0, below(copy.length));
  for (let k = 0; k < 1 + below(4); k++) copy[below(copy.length)] = below(256);
  return copy;
}

function changedBody(body, type) {
  if (random() < 0.2) return damaged(body);
  if (!type.includes("json")) return random() < 0.3 ? body : damaged(body);
  try {
    return Buffer.from(JSON.stringify(changed(JSON.parse(body.toString()))) ?? "");
  } catch {
    return damaged(body);
  }
}

function changedPath(path) {
  const [address, query = ""] = path.split("?");
  const fields = query.split("&").filter(Boolean);
  const kind = random();
  if (fields.length > 0 && kind < 0.6) {
    const k = below(fields.length);
    const [name] = fields[k].split("=");
    fields[k] = random() < 0.2 ? fields[below(fields.length)] : `${name}=${encode(pick(odd))}`;
  } else if (kind < 0.8)
    fields.push(`${encode(pick(["wait", "picture", "side", "limit", "after", pick(odd)]))}=${encode(pick(odd))}`);
  else {
    const parts = address.split("/");
    parts[1 + below(parts.length - 1)] = encode(pick(odd));
    return `${parts.join("/")}${query && `?${query}`}`;
  }
  return `${address}?${fields.join("&")}`;
}

const encode = (text) => encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, "\ufffd"));

const headerNames = [
  "range",
  "if-range",
  "last-event-id",
  "content-type",
  "accept",
  "cookie",
  "content-encoding",
  "x-odd",
];

function changedCase({ method, path, headers, body }) {
  const kept = Object.fromEntries(
    Object.entries(headers)
      .map(([name, text]) => [name.toLowerCase(), text])
      .filter(([name, text]) => /^(content-type|accept|range|last-event-id|cookie)$/.test(name) && isHeader(text)),
  );
  const next = { method, path, headers: kept, body };
  const kind = random();
  if (kind < 0.5 && body.length > 0) next.body = changedBody(body, kept["content-type"] ?? "");
  else if (kind < 0.75) next.path = changedPath(path);
  else if (kind < 0.9) {
    const text = pick(odd);
    next.headers = { ...kept, [pick(headerNames)]: isHeader(text) ? text : "odd" };
  } else if (kind < 0.95) next.method = pick(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]);
  if (/[?&]wait=([2-9]|\d\d)/.test(next.path)) next.path = next.path.replaceAll(/wait=\d+/g, "wait=1");
  return next;
}

const isHeader = (text) => /^[\x20-\x7e]*$/.test(text);

const agent = new Agent({ keepAlive: true, maxSockets: WORKERS });

/** Sends a request. Returns its status, headers and text, or "left" if it waits for what never comes. */
function send({ method, path, headers, body }, ms) {
  return new Promise((resolve, reject) => {
    const length = body.length > 0 || method === "POST" ? { "content-length": body.length } : {};
    const { hostname, port } = new URL(server);
    const made = open({ agent, hostname, port, method, path, headers: { ...headers, ...length } }, (answer) => {
      const parts = [];
      // Events of a job that nobody runs do not end.
      if (/event-stream/.test(answer.headers["content-type"] ?? "")) setTimeout(() => made.destroy(), 50);
      answer.on("data", (part) => parts.push(part));
      const end = () => {
        clearTimeout(late);
        resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts) });
      };
      answer.on("end", end).on("close", end).on("error", end);
    });
    const late = setTimeout(() => {
      resolve("left");
      made.destroy();
    }, ms);
    made.on("error", (error) => {
      clearTimeout(late);
      reject(error);
    });
    made.end(body);
  });
}

/** Tells what is wrong with an answer. Undefined if nothing is. */
function problemOf({ method, path }, { status, headers, text }) {
  if (status >= 500 && !(status === 503 && headers["retry-after"])) return `status ${status}`;
  const address = path.split("?")[0];
  const found = [...operations].find(([name, one]) => name.startsWith(`${method} `) && one.path.test(address));
  // Of an address that is not in the document, any refusal is right.
  if (found && !(status in found[1].responses) && status !== 431)
    return `status ${status}, which ${found[0]} does not name`;
  if (status >= 400 && method !== "HEAD" && status !== 431) {
    try {
      const { error, detail } = JSON.parse(text.toString());
      if (typeof (error.message ?? detail) !== "string") return `status ${status} without a message`;
    } catch {
      // Node itself answers a request that is no HTTP.
      if (text.length > 0) return `status ${status} without JSON`;
    }
  }
  return undefined;
}

const total = Number(values.requests);
const counts = new Map();
const kinds = new Map();
const wrong = new Map();
let sent = 0;
const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);

async function work() {
  while (sent < total) {
    sent++;
    const made = changedCase(pick(cases));
    count(kinds, /^\/(api|v1|sdapi)?/.exec(made.path)?.[0] ?? "other");
    const isEdit = /^\/(v1\/images\/edits|sdapi\/v1\/img2img)/.test(made.path);
    let problem;
    try {
      const answer = await send(made, isEdit ? EDIT_MS : LIMIT_MS);
      if (answer === "left") problem = isEdit ? undefined : "no answer";
      else problem = problemOf(made, answer);
      count(counts, answer === "left" ? "left" : answer.status);
    } catch (error) {
      // Node closes the connection of a request that is no HTTP, and of one whose body it does not read.
      count(counts, error.code ?? error.message);
      if (!["ECONNRESET", "EPIPE", "ERR_INVALID_CHAR", "ERR_UNESCAPED_CHARACTERS"].includes(error.code))
        problem = `${error}`;
    }
    if (problem) {
      count(wrong, problem);
      if (wrong.get(problem) <= 3)
        console.log(problem, JSON.stringify({ ...made, body: made.body.toString().slice(0, 600) }));
    }
    if (sent % 10_000 === 0) console.log(`${sent} sent`, Object.fromEntries(counts));
  }
}

const began = performance.now();
await Promise.all(Array.from({ length: WORKERS }, work));
agent.destroy();
const seconds = (performance.now() - began) / 1000;
console.log(
  `${sent} requests in ${seconds.toFixed(0)} s. Answers by status: ${JSON.stringify(Object.fromEntries(counts))}`,
);
console.log(`By the beginning of their paths: ${JSON.stringify(Object.fromEntries(kinds))}`);
if (wrong.size > 0) console.log(`wrong: ${JSON.stringify(Object.fromEntries(wrong))}`);
process.exit(wrong.size > 0 ? 1 : 0);
