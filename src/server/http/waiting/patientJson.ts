import { inTime } from "../inTime.ts";

/** Node's fetch waits 300 s for headers, proxies often 60 s. */
const FIRST_MS = 50_000;
const BEAT_MS = 15_000;

export interface PatientOptions {
  /** Time until headers are sent. */
  readonly firstMs?: number;
  /** Time between two spaces. */
  readonly beatMs?: number;
}

const text = new TextEncoder();

/**
 * Answers with the response that `work` makes. If that takes long, sends the headers of a JSON response with status 200, then
 * spaces that keep the connection alive, then the body of the response: JSON may begin with spaces. A failure after that time has
 * status 200 too, so clients must look at the body. signal: aborts if the client is gone. `work` gets a signal that also aborts if
 * the client leaves a body half read.
 */
export async function patientJson(
  work: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
  { firstMs = FIRST_MS, beatMs = BEAT_MS }: PatientOptions = {},
): Promise<Response> {
  const left = new AbortController();
  const running = work(AbortSignal.any([signal, left.signal]));
  const soon = await inTime(running, firstMs);
  if (soon) return soon;
  let beat: ReturnType<typeof setInterval> | undefined;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const space = (): void => controller.enqueue(text.encode(" "));
      space();
      beat = setInterval(space, beatMs);
      // It ends the spaces although the client takes none of them.
      void running.catch(() => undefined).finally(() => clearInterval(beat));
    },
    pull: async (controller) => {
      reader ??= (await running).body?.getReader();
      const { done = true, value } = (await reader?.read()) ?? {};
      if (left.signal.aborted) return;
      if (done) controller.close();
      else controller.enqueue(value!);
    },
    cancel: async () => {
      clearInterval(beat);
      left.abort();
      await reader?.cancel();
    },
  });
  return new Response(body, { headers: { "Content-Type": "application/json", "Cache-Control": "no-store" } });
}
