import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import { UsageError } from "../../core/index.ts";
import { systemMessage } from "../../storage/node/index.ts";
import { refusal } from "../refusal.ts";

export interface ListenOptions {
  readonly fetch: Parameters<typeof getRequestListener>[0];
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface Listening {
  readonly port: number;
  /** Ends all connections, streams among them. */
  close(): Promise<void>;
}

/** Time for the headers of a request, and for all of it. */
const [HEADERS_MS, REQUEST_MS] = [10_000, 120_000];
const MAX_HEADER_BYTES = 16 << 10;
const MAX_CONNECTIONS = 500;
const MAX_REQUESTS_OF_CONNECTION = 10_000;

/** Statuses of requests that Node refuses before any handler sees them. */
const statuses: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
const messages: Readonly<Record<number, string>> = {
  400: "this is not an HTTP request",
  408: "the request takes too long",
  431: "the headers of the request are too long",
};

/** Serves HTTP, with limits on time, headers and connections. Throws UsageError if the address or the port cannot be used. */
export async function listen({ fetch, address, port }: ListenOptions): Promise<Listening> {
  // Handlers answer their own errors. What is left is an address or a Host that cannot be read.
  const errorHandler = (error: unknown): Response =>
    error instanceof RequestError
      ? refusal(400, messages[400], "unreadable")
      : refusal(500, "the server failed; its terminal says more", "unexpected");
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 2000,
  };
  const server = createServer(limits, getRequestListener(fetch, { errorHandler }));
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = MAX_REQUESTS_OF_CONNECTION;
  server.on("clientError", answerFault);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    throw cannotListen(address, port, cause);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Codes of the system for an address that is not this machine's, or is none. */
const wrongAddress = ["EADDRNOTAVAIL", "EAI_AGAIN", "EINVAL", "ENOTFOUND"];

function cannotListen(address: string, port: number, cause: NodeJS.ErrnoException): UsageError {
  if (wrongAddress.includes(cause.code ?? "")) {
    return new UsageError("not an address of this machine", {
      where: "the address to listen on",
      found: address,
      expected: "127.0.0.1, 0.0.0.0 for all of its networks, or one of its own addresses",
      cause,
    });
  }
  const isTaken = cause.code === "EADDRINUSE";
  return new UsageError(`the port cannot be used: ${systemMessage(cause)}`, {
    where: `port ${port}`,
    ...(isTaken && { advice: "Another program has it. Choose another port." }),
    cause,
  });
}

/** Answers a request that Node cannot read, in the shape of all other errors. */
function answerFault(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statuses[error.code ?? ""] ?? 400;
  void refusal(status, messages[status], "unreadable")
    .text()
    .then((body) => {
      const head = `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
      socket.end(head + body, () => socket.destroy());
    });
}
