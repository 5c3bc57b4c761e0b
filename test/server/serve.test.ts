import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Server, type ServerOptions, startServer } from "../../src/server/node/index.ts";
import { fixturePath } from "../support/files.ts";

process.env.BARET_CACHE = mkdtempSync(join(tmpdir(), "baret-serve-cache-"));

async function started(options: Partial<ServerOptions> = {}): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "baret-serve-"));
  const server = await startServer({ models: [fixturePath("tiny-sd1")], folder, works: false, ...options });
  onTestFinished(() => server.close());
  return server;
}

const at = ({ url }: Server, path: string): string => new URL(path, url).href.replace(/#.*/, "");

test("the studio answers before the queue is ready; then jobs can be queued", async () => {
  const server = await started();
  const page = await fetch(server.url);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain("<title>");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  const { ready } = (await (await fetch(at(server, "/api/v1/capabilities"))).json()) as { ready: boolean };
  expect(ready).toBe(false);
  expect((await fetch(at(server, "/api/v1/jobs"))).status).toBe(503);
  await server.ready;
  expect(await (await fetch(at(server, "/api/v1/jobs"))).json()).toEqual({ jobs: [] });
  const metrics = await (await fetch(at(server, "/metrics"))).text();
  expect(metrics).toContain('baret_jobs{state="queued"} 0');
  expect(metrics).toMatch(/^baret_event_loop_delay_seconds_count [1-9]/m);
});

test("a server removes the pictures' folders of dead servers, and no other", async () => {
  const host = hostname().replaceAll(/[^A-Za-z0-9-]/g, "_");
  // The largest process id of Linux is below 2 ** 22.
  const names = [2 ** 22 + 1, process.pid].map((pid) => `baret-picture.${host}.${pid}.0`);
  const [dead, alive] = names.map((name) => mkdtempSync(join(tmpdir(), name)));
  onTestFinished(() => rmSync(alive, { recursive: true }));
  writeFileSync(join(dead, "photo"), "");
  await (await started()).ready;
  await expect.poll(() => [dead, alive].map(existsSync), { timeout: 10_000 }).toEqual([false, true]);
});

test("an address of other machines needs a token, which the server makes", async () => {
  const server = await started({ address: "0.0.0.0" });
  expect(server.token).toMatch(/^[\w-]{24}$/);
  expect(server.url).toMatch(/^http:\/\/localhost:\d+\/#token=[\w-]{24}$/);
  expect((await fetch(at(server, "/api/v1/capabilities"))).status).toBe(401);
  const headers = { authorization: `Bearer ${server.token}` };
  expect((await fetch(at(server, "/api/v1/capabilities"), { headers })).status).toBe(200);
});

test("a taken port is an error that says so, and leaves the folder free", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  onTestFinished(() => void other.close());
  const folder = mkdtempSync(join(tmpdir(), "baret-serve-"));
  const { port } = other.address() as AddressInfo;
  await expect(started({ folder, port })).rejects.toThrow(/port \d+: the port cannot be used.*\n.*Choose another port/);
  // The queue takes seconds to open, so it waits for the port.
  expect(existsSync(join(folder, "queue"))).toBe(false);
  const server = await started({ folder });
  await server.ready;
});

test.each(["192.0.2.1", "no-such-machine.invalid"])(
  "the address %s is refused by its name, not by its port",
  async (address) => {
    await expect(started({ address, token: "a-token" })).rejects.toMatchObject({
      details: { where: "the address to listen on", found: address },
    });
  },
);

test("a second server on one folder fails before it has an address that a browser would open", async () => {
  const folder = mkdtempSync(join(tmpdir(), "baret-serve-"));
  await (await started({ folder })).ready;
  await expect(started({ folder })).rejects.toThrow(/another process uses this folder.*\n.*Use that server/s);
});

test("a server that is stopped while it starts reports no fault", async () => {
  const faults: unknown[] = [];
  const server = await started({ onFault: (error) => faults.push(error) });
  // Old jobs are looked for right now.
  await server.ready;
  await server.close();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(faults).toEqual([]);
});

test("a model that is missing fails when the server gets ready, with the model's name", async () => {
  const server = await started({ models: ["no-such-model"] });
  await expect(server.ready).rejects.toThrow(/no-such-model/);
});
