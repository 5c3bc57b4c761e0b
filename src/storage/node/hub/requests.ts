import { HubError } from "../../../core/index.ts";
import { connectionError, stallError } from "./responseErrors.ts";
import { RetryableError, type RetryWork, StallTimer } from "./retry.ts";

/** A file that a server is sending. */
export interface Transfer {
  /** Offset of the first byte: the requested one, or 0 if the server sends whole files only. */
  readonly start: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface Server {
  /** Its address, for messages. */
  readonly host: string;
  /** Access token. fetch drops it if a response redirects to another host. */
  readonly token?: string;
  /** Tells the user what to do if the server cannot be reached. */
  readonly advice: string;
}

/** Sends requests to a server. Failures are HubErrors, or RetryableErrors if a later try may succeed. */
export class Requests {
  private readonly server: Server;
  private readonly work: RetryWork;
  /** True once the server has answered a request. */
  private reached = false;

  constructor(server: Server, work: RetryWork) {
    this.server = server;
    this.work = work;
  }

  /** Sends a request. `timer` aborts it. */
  async send(url: string, headers: Record<string, string>, timer: StallTimer): Promise<Response> {
    const { host, token } = this.server;
    try {
      const response = await fetch(url, {
        headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers,
        signal: timer.signal,
      });
      this.reached = true;
      timer.restart();
      return response;
    } catch (cause) {
      throw this.connectionFailure(cause, host, timer);
    }
  }

  /** Reads the body of a response, in chunks. where: its name in messages. */
  async *receive(response: Response, where: string, timer: StallTimer): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response.body ?? []) {
        yield chunk;
        timer.received(chunk.length);
      }
    } catch (cause) {
      throw this.connectionFailure(cause, where, timer);
    } finally {
      timer.stop();
    }
  }

  /** Reads a small response whole. refusal: makes the error for a failing status. Throws HubError above `most` bytes. */
  async text(
    url: string,
    where: string,
    accept: string,
    most: number,
    refusal: (response: Response) => Error,
  ): Promise<{ response: Response; bytes: Buffer }> {
    const timer = new StallTimer(this.work.policy, this.work.signal);
    try {
      const response = await this.send(url, { accept }, timer);
      await throwIfRefused(response, refusal);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of this.receive(response, where, timer)) {
        size += chunk.length;
        if (size > most) throw new HubError("the response has no end", { where: url });
        chunks.push(chunk);
      }
      return { response, bytes: Buffer.concat(chunks) };
    } finally {
      timer.stop();
    }
  }

  /** Starts to download a file at byte `from`. where: its name in messages. */
  async transfer(url: string, where: string, from: number, refusal: (response: Response) => Error): Promise<Transfer> {
    const timer = new StallTimer(this.work.policy, this.work.signal);
    try {
      // Compressed responses have no byte ranges.
      const plain = { "accept-encoding": "identity" };
      const range: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
      let response = await this.send(url, { ...plain, ...range }, timer);
      if (response.status === 416) {
        await response.body?.cancel();
        response = await this.send(url, plain, timer);
      }
      await throwIfRefused(response, refusal);
      const start = response.status === 206 ? rangeStart(response) : 0;
      if (start !== 0 && start !== from) {
        await response.body?.cancel();
        throw new RetryableError(new HubError("the server sent another byte range than the requested one", { where }));
      }
      return { start, bytes: this.receive(response, where, timer) };
    } catch (error) {
      timer.stop();
      throw error;
    }
  }

  private connectionFailure(cause: unknown, where: string, timer: StallTimer): HubError | RetryableError {
    const { bytesAtStall } = timer;
    const { advice } = this.server;
    return bytesAtStall === undefined
      ? connectionError(cause, where, this.reached, advice)
      : stallError(where, bytesAtStall, this.work.policy, advice);
  }
}

async function throwIfRefused(response: Response, refusal: (response: Response) => Error): Promise<void> {
  if (response.ok) return;
  await response.body?.cancel();
  throw refusal(response);
}

/** Returns the first byte of `Content-Range: bytes 5-9/10`. */
function rangeStart(response: Response): number {
  const [, start] = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "") ?? [];
  return start === undefined ? -1 : Number(start);
}
