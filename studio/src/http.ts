import { createParser } from "eventsource-parser";
import type { Capabilities, Inversion, Job, JobEvent, StoredPhoto } from "../../src/server/api/index.ts";
import { hasEnded } from "../../src/server/api/states.ts";
import { type Backend, BackendError, type JobQuery } from "./backend.ts";
import { capital } from "./view/words.ts";

/** Longest wait between two attempts to reach the server, in milliseconds. */
const longestWait = 10_000;

/** Types of photos that the server knows. Others go as bytes: the server looks into them. */
const photoTypes = /^image\/(png|jpeg|webp|tiff|avif|gif)$/;

/** A server's answer to a request that it refuses. */
interface Refusal {
  readonly error?: {
    readonly message?: string;
    readonly param?: string | null;
    readonly code?: string | null;
    readonly problems?: readonly { readonly param: string; readonly message: string }[];
  };
}

/** Reads a refusal. The first line of its message is the problem, the rest is advice. */
async function errorOf(response: Response): Promise<BackendError> {
  const { error }: Refusal = await response.json().catch(() => ({}));
  const [problem, ...advice] = (error?.message ?? `The server answered with status ${response.status}.`).split("\n");
  const retryAfter = Number(response.headers.get("retry-after"));
  return new BackendError(capital(problem), {
    code: error?.code ?? `http_${response.status}`,
    ...(error?.param && { where: error.param }),
    ...(advice.length > 0 && { advice: advice.join("\n") }),
    ...(retryAfter > 0 && { retryAfter }),
    ...(error?.problems && { problems: error.problems.map(({ param, message }) => ({ field: param, message })) }),
  });
}

/** The server cannot be reached: it stopped, or the network is down. */
const isUnreachable = (error: unknown): boolean => error instanceof BackendError && error.code === "unreachable";

async function ask(url: URL, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new BackendError("The server does not answer.", {
      code: "unreachable",
      advice: "Start it again with npx baret serve. Its queue is kept.",
    });
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Speaks to the native API of a server. base: URL of the studio's page. token: the server's, if it demands one. */
export function httpBackend(base: string, token?: string): Backend {
  const at = (path: string): URL => new URL(`api/v1/${path}`, base);
  const post = { method: "POST" };

  /** Gets the cookie by which the server knows this page, once. */
  let session: Promise<unknown> | undefined;
  const openSession = (): Promise<unknown> => {
    session ??= ask(at("session"), { ...post, ...(token && { headers: { authorization: `Bearer ${token}` } }) });
    return session.catch((error) => {
      session = undefined;
      throw error;
    });
  };
  const send = async (path: string, init?: RequestInit): Promise<Response> => {
    await openSession();
    return ask(at(path), init);
  };
  const json = async <T>(path: string, init?: RequestInit): Promise<T> => (await send(path, init)).json();

  /** Reads events until the stream ends. Returns the id of the last one that is kept. */
  async function readEvents(id: string, after: string, onEvent: (event: JobEvent) => void, signal: AbortSignal) {
    const headers = after ? { "last-event-id": after } : undefined;
    const response = await send(`jobs/${id}/events`, { headers, signal });
    let last = after;
    const parser = createParser({
      onEvent: (message) => {
        last = message.id || last;
        // The server tells of a failure of its own in an event named "error". Reading is tried again.
        if (message.event !== "error") onEvent(JSON.parse(message.data));
      },
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      parser.feed(part.value);
    }
    return last;
  }

  return {
    capabilities: () => json<Capabilities>("capabilities"),
    addPhoto: (file) =>
      json<StoredPhoto>("photos", {
        ...post,
        body: file,
        headers: { "content-type": photoTypes.test(file.type) ? file.type : "application/octet-stream" },
      }),
    submit: (request) =>
      json<Job>("jobs", { ...post, body: JSON.stringify(request), headers: { "content-type": "application/json" } }),
    job: (id) => json<Job>(`jobs/${id}`),
    async jobs({ states, search, limit, before }: JobQuery) {
      const query = new URLSearchParams();
      if (states) query.set("states", states.join(","));
      if (search) query.set("search", search);
      if (limit) query.set("limit", String(limit));
      if (before) query.set("before", before);
      const { jobs } = await json<{ jobs: Job[] }>(`jobs?${query}`);
      return jobs;
    },
    cancel: (id) => json<Job>(`jobs/${id}/cancel`, post),
    async cancelAll() {
      await send("jobs/cancel", post);
    },
    async remove(id) {
      await send(`jobs/${id}`, { method: "DELETE" });
    },
    async inversions() {
      const { inversions } = await json<{ inversions: Inversion[] }>("inversions");
      return inversions;
    },
    async follow(id, onEvent, signal) {
      let [ended, after, wait] = [false, "", 500];
      const hear = (event: JobEvent): void => {
        wait = 500;
        if (event.type === "state") ended = hasEnded(event.state);
        onEvent(event);
      };
      while (!ended && !signal.aborted) {
        try {
          after = await readEvents(id, after, hear, signal);
        } catch (error) {
          if (signal.aborted) return;
          // A stream that breaks in the middle is a TypeError of fetch.
          if (error instanceof BackendError && !isUnreachable(error)) throw error;
        }
        if (ended) return;
        await pause(wait, signal);
        wait = Math.min(2 * wait, longestWait);
      }
    },
    pictureUrl: (id, side) => at(`pictures/${id}${side ? `?side=${side}` : ""}`).href,
  };
}
