import { readFile } from "node:fs/promises";
import { afterAll, expect, test } from "vitest";
import { CancelledError, UsageError } from "../../src/core/index.ts";
import { type Listening, listen } from "../../src/http/node/index.ts";
import type { JobEvent } from "../../src/server/api/index.ts";
import { connect, ServerError, typedError } from "../../src/server/client/index.ts";
import { BusyError, NotFoundError, RequestError } from "../../src/server/errors.ts";
import { testServer } from "../support/server.ts";

const opened: Listening[] = [];
afterAll(() => Promise.all(opened.map((one) => one.close())));

/** Serves the app of a test on a port. */
async function serve(made: Awaited<ReturnType<typeof testServer>>, port = 0): Promise<Listening> {
  const listening = await listen({ fetch: made.app.fetch, address: "127.0.0.1", port });
  opened.push(listening);
  return listening;
}

const addressOf = () => "127.0.0.1";
const dog = async () => new Uint8Array(await readFile("examples/dog.png"));
const target = "a brown dog lying down on the grass";

test("a job from the photo to its picture, and lists", async () => {
  const made = await testServer({ addressOf });
  const client = connect(`http://127.0.0.1:${(await serve(made)).port}`);
  expect((await client.capabilities()).models[0].name).toBe("menagerie");
  const photo = await client.addPhoto(await dog());
  const job = await client.submit({ kind: "edit", photo: photo.id, target });
  expect(job.state).toBe("queued");
  await made.finish();
  const types: string[] = [];
  for await (const event of client.events(job.id)) types.push(event.type === "state" ? event.state : event.type);
  expect(types.at(-1)).toBe("done");
  const { result } = await client.job(job.id);
  const bytes = await client.picture(result!.pictures[0].picture.id);
  expect(bytes).toEqual(await dog());
  expect((await client.jobs({ states: ["done"] })).map(({ id }) => id)).toEqual([job.id]);
  expect(await client.inversions()).toEqual([]);
  await client.remove([job.id]);
  expect(await client.jobs()).toEqual([]);
});

test("events go on after the connection broke and the server came back, each one once", async () => {
  const made = await testServer({ addressOf });
  const first = await serve(made);
  const client = connect(`http://127.0.0.1:${first.port}`);
  const photo = await made.photo();
  const { id } = await client.submit({ kind: "edit", photo, target });
  const heard: JobEvent[] = [];
  const reading = (async () => {
    for await (const event of client.events(id)) heard.push(event);
  })();
  const lease = await made.take();
  await lease.report({ type: "settings", settings: { steps: 5 } });
  while (!heard.some(({ type }) => type === "settings")) await new Promise((resolve) => setTimeout(resolve, 5));
  await first.close();
  await lease.report({ type: "warning", warning: { code: "one", message: "said while nobody listened" } });
  await serve(made, first.port);
  await lease.fail({ code: "numeric", message: "NaN." }, { retry: false });
  await reading;
  const kept = heard.flatMap((event) => ("seq" in event ? [event.seq] : []));
  expect(kept).toEqual([...kept].sort((a, b) => a - b));
  expect(new Set(kept).size).toBe(kept.length);
  expect(heard.map(({ type }) => type)).toContain("warning");
  expect(heard.at(-1)).toMatchObject({ type: "state", state: "failed", error: { code: "numeric" } });
});

test("refusals are the errors of the library", async () => {
  const made = await testServer({ addressOf, token: "a-secret-token-of-this-test" });
  const url = `http://127.0.0.1:${(await serve(made)).port}/`;
  await expect(connect(url, { token: "wrong" }).capabilities()).rejects.toMatchObject({ code: "invalid_token" });
  const client = connect(url, { token: "a-secret-token-of-this-test" });
  await expect(client.job("0".repeat(32))).rejects.toThrow(NotFoundError);
  const photo = await made.photo();
  const wrong = client.submit({ kind: "edit", photo, target, options: { alpha: 7, nothing: 1 } });
  await expect(wrong).rejects.toThrow(RequestError);
  await expect(wrong).rejects.toMatchObject({ problems: [{ field: "options.alpha" }, { field: "options.nothing" }] });
  expect(typedError({ code: "busy", message: "The queue is full.", retryAfter: 3 })).toMatchObject({ retryAfter: 3 });
  expect(typedError({ code: "busy", message: "The queue is full." })).toBeInstanceOf(BusyError);
  expect(typedError({ code: "cancelled", message: "" })).toBeInstanceOf(CancelledError);
  expect(typedError({ code: "usage", message: "--x: wrong.\nDo this." }).message).toBe("--x: wrong.\nDo this.");
  expect(() => connect("file:///etc/passwd")).toThrow(UsageError);
});

test("the address that serve prints has the token; one with a user is refused", async () => {
  const token = "a-secret-token-of-this-test";
  const made = await testServer({ addressOf, token });
  const { port } = await serve(made);
  const url = `http://127.0.0.1:${port}`;
  expect((await connect(`${url}/#token=${token}`, { token: undefined }).capabilities()).models).toHaveLength(1);
  await expect(connect(`${url}/#token=${token}`, { token: "wrong" }).capabilities()).rejects.toThrow(
    /needs its token.*\n.*whole address, or the token by itself \(variable BARET_TOKEN\)/,
  );
  expect(() => connect(`http://me:secret@127.0.0.1:${port}`)).toThrow(UsageError);
  expect(() => connect(`http://me:secret@127.0.0.1:${port}`)).not.toThrow(/secret/);
});

test("the address of another program, and a wrong path, are errors with the address", async () => {
  const other = await listen({ fetch: () => new Response("hello", { status: 404 }), address: "127.0.0.1", port: 0 });
  opened.push(other);
  await expect(connect(`http://127.0.0.1:${other.port}`).capabilities()).rejects.toThrow(
    /no baret server answered at http:\/\/127\.0\.0\.1:\d+\/api\/v1\/capabilities: found status 404.*\n.*that baret serve printed/,
  );
  const { port } = await serve(await testServer({ addressOf }));
  await expect(connect(`http://127.0.0.1:${port}/api`).capabilities()).rejects.toThrow(
    /"\/api\/api\/v1\/capabilities"/,
  );
  await expect(connect(`https://127.0.0.1:${port}`).capabilities()).rejects.toThrow(/it does not speak https\./);
});

test("a server that does not answer, and one that stays away", async () => {
  const made = await testServer({ addressOf });
  const listening = await serve(made);
  const client = connect(`http://127.0.0.1:${listening.port}`, { patienceMs: 400 });
  const { id } = await client.submit({ kind: "edit", photo: await made.photo(), target });
  await listening.close();
  await expect(client.capabilities()).rejects.toThrow(ServerError);
  await expect(client.capabilities()).rejects.toThrow(/does not answer.*\nStart it with npx baret serve/);
  await expect(client.events(id).next()).rejects.toMatchObject({ code: "unreachable" });
});

test("a patient client waits for a server that comes back, tells so once, and sends the same request again", async () => {
  const made = await testServer({ addressOf });
  const first = await serve(made);
  const lost: string[] = [];
  const onLost = ({ message }: Error): void => void lost.push(message);
  const client = connect(`http://127.0.0.1:${first.port}`, { patienceMs: 60_000, isPatient: true, onLost });
  await client.capabilities();
  await first.close();
  const adding = client.addPhoto(await dog());
  await expect.poll(() => lost, { timeout: 20_000 }).toEqual([expect.stringContaining("does not answer")]);
  await serve(made, first.port);
  const { id } = await adding;
  expect((await client.submit({ kind: "edit", photo: id, target })).state).toBe("queued");
  expect(lost).toHaveLength(1);
});

test("a patient client gives up at once if no server was ever there", async () => {
  const { port, close } = await serve(await testServer({ addressOf }));
  await close();
  const client = connect(`http://127.0.0.1:${port}`, { patienceMs: 60_000, isPatient: true });
  await expect(client.capabilities()).rejects.toMatchObject({ code: "unreachable" });
});

test("an aborted signal ends the reading of events with its reason", async () => {
  const made = await testServer({ addressOf });
  const client = connect(`http://127.0.0.1:${(await serve(made)).port}`);
  const { id } = await client.submit({ kind: "edit", photo: await made.photo(), target });
  const controller = new AbortController();
  const events = client.events(id, controller.signal);
  await events.next();
  controller.abort(new CancelledError());
  await expect(events.next().then(() => events.next())).rejects.toThrow(CancelledError);
  expect((await client.cancel(id)).state).toBe("cancelled");
});
