import { createParser } from "eventsource-parser";
import type { JobError, JobEvent } from "../api/index.ts";

/** An item of a stream of events: an event, with its id if the server keeps it, or a failure of the server. */
export type Heard = { readonly id?: string; readonly event: JobEvent } | { readonly error: JobError };

/** Reads server-sent events of a job until the stream ends. Rejects if the connection breaks. */
export async function* heardIn(response: Response): AsyncGenerator<Heard, void> {
  const heard: Heard[] = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      if (event === "error") heard.push(JSON.parse(data) as { error: JobError });
      else heard.push({ ...(id && { id }), event: JSON.parse(data) as JobEvent });
    },
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
      parser.feed(part.value);
      yield* heard.splice(0);
    }
  } finally {
    // Closes the connection if the reader stops early. A broken one is closed already.
    await reader?.cancel().catch(() => undefined);
  }
}
