import { BaretError } from "../../core/index.ts";
import type { JobEvent } from "../api/index.ts";

/** Proxies and browsers give up on a connection that is silent for a minute. */
const BEAT_MS = 15_000;
/** A slow reader gets no more until it has read this much. */
const MAX_WAITING_BYTES = 1 << 20;

const text = new TextEncoder();

/**
 * Answers with server-sent events, with headers at once. Kept events have their number as id. Comments keep the connection alive.
 * abort: called if the client leaves.
 */
export function eventAnswer(events: AsyncIterable<JobEvent>, abort: () => void, beatMs = BEAT_MS): Response {
  let beat: ReturnType<typeof setInterval> | undefined;
  const iterator = events[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        controller.enqueue(text.encode(": events of a job\n\n"));
        beat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(text.encode(": still here\n\n"));
        }, beatMs);
      },
      pull: async (controller) => {
        const next = await iterator.next().catch((error: unknown) => {
          const code = error instanceof BaretError ? error.code : "unexpected";
          const message = error instanceof BaretError ? error.message : "the server failed; its terminal says more";
          controller.enqueue(text.encode(`event: error\ndata: ${JSON.stringify({ error: { code, message } })}\n\n`));
          return { done: true, value: undefined } as const;
        });
        if (next.done) {
          clearInterval(beat);
          controller.close();
          return;
        }
        const id = "seq" in next.value ? `id: ${next.value.seq}\n` : "";
        controller.enqueue(text.encode(`${id}data: ${JSON.stringify(next.value)}\n\n`));
      },
      cancel: () => {
        clearInterval(beat);
        abort();
      },
    },
    { highWaterMark: MAX_WAITING_BYTES, size: (chunk) => chunk.length },
  );
  const headers = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    // Tells nginx not to collect events.
    "X-Accel-Buffering": "no",
  };
  return new Response(body, { headers });
}
