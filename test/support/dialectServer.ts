import { afterAll } from "vitest";
import { ownHosts } from "../../src/http/index.ts";
import { listen } from "../../src/http/node/index.ts";
import { serverApp, UploadRoom } from "../../src/server/http/index.ts";
import { serverDialects } from "../../src/server/node/index.ts";
import { TestService } from "./service.ts";

export interface DialectServer {
  readonly service: TestService;
  /** "http://127.0.0.1:1234". */
  readonly url: string;
  /** Errors of the server itself. */
  readonly faults: unknown[];
}

const running: { close(): Promise<void> }[] = [];

/** Serves the APIs of other programs over a service that the test moves. It ends after the tests of the file. */
export async function dialectServer(
  times: { firstMs?: number; beatMs?: number; graceMs?: number } = {},
): Promise<DialectServer> {
  const service = new TestService();
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  const dialects = serverDialects({ service, onFault, room: new UploadRoom(), ...times });
  const app = serverApp({
    service,
    version: "0",
    isOwnHost: ownHosts(),
    dialects,
    onFault,
    addressOf: () => "127.0.0.1",
  });
  const server = await listen({ fetch: app.fetch, address: "127.0.0.1", port: 0 });
  running.push(server);
  return { service, url: `http://127.0.0.1:${server.port}`, faults };
}

afterAll(async () => {
  for (const server of running.splice(0)) await server.close();
});
