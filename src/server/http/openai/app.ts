import { type Context, Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { refusal } from "../../../http/index.ts";
import type { EditRequest } from "../../api/index.ts";
import { clientOf, type ServerEnv } from "../access.ts";
import { type DialectOptions, fromBase64, holdingBody, readyCapabilities } from "../dialect.ts";
import { jsonPieces, jsonResponse } from "../jsonFiles.ts";
import {
  followJob,
  patientJson,
  requireDone,
  storePhoto,
  submitEdits,
  type Waiting,
  waitingErrorAnswer,
  whenDone,
} from "../waiting/index.ts";
import {
  completedEvent,
  editOf,
  encoded,
  imagesReply,
  modelReply,
  type OutputOptions,
  partialEvent,
} from "./answers.ts";
import { MAX_FIELDS, MAX_IMAGES, readFields } from "./fields.ts";
import { partialChooser } from "./partials.ts";
import { type AskedEdits, editsOf, paramOf } from "./request.ts";

/** Bytes of a form besides its photos. */
const FORM_BYTES = 2 << 20;
/** Time between two comments that keep a stream alive. */
const BEAT_MS = 15_000;

/** OpenAI's API for editing images, as its official clients use it: /v1/images/edits and /v1/models. */
export function openaiApp(options: DialectOptions): Hono<ServerEnv> {
  const { service, interests, onFault } = options;
  const failed = (error: unknown): Response => waitingErrorAnswer(error, onFault, paramOf);

  /** Stores the photos of a form and queues its edits. */
  async function submit({ edits, files }: AskedEdits, client: string): Promise<Waiting[]> {
    const ids = new Map<Uint8Array, string>();
    for (const { image } of edits) if (!ids.has(image)) ids.set(image, await storePhoto(service, image, "image"));
    for (const [name, bytes] of files) ids.set(bytes, await storePhoto(service, bytes, `baret[${name}]`));
    const masks = Object.fromEntries([...files].map(([name, bytes]) => [name, ids.get(bytes)]));
    const whole = edits.map(
      ({ image, request }): EditRequest => ({
        ...request,
        photo: ids.get(image)!,
        options: { ...request.options, ...masks },
      }),
    );
    return submitEdits(service, interests, whole, client, paramOf);
  }

  /** Waits for all edits and answers with them. Never rejects. */
  const plainReply = (waiting: readonly Waiting[], output: OutputOptions, signal: AbortSignal): Promise<Response> =>
    whenDone(service, waiting, signal, async (jobs) => {
      const pictures = await Promise.all(jobs.map((job) => editOf(options, job, output)));
      return jsonResponse(imagesReply(pictures, jobs, output));
    }).catch(failed);

  /** Sends the events of one edit until it has ended. */
  function streamReply(c: Context, { id, interest }: Waiting, partials: number, output: OutputOptions): Response {
    const left = new AbortController();
    const choose = partialChooser(partials);
    return streamSSE(c, async (stream) => {
      stream.onAbort(() => left.abort());
      let isSending = false;
      const send = async (event: { readonly type: string }): Promise<void> => {
        isSending = true;
        await stream.write(`event: ${event.type}\ndata: `);
        for await (const piece of jsonPieces(event)) {
          if (left.signal.aborted) break;
          await stream.write(piece);
        }
        await stream.write("\n\n");
        isSending = false;
      };
      const beat = setInterval(() => {
        if (!isSending) void stream.write(": still here\n\n");
      }, BEAT_MS);
      // Headers go out with the first bytes.
      await stream.write(": the edit is queued\n\n");
      let index = 0;
      try {
        const job = await followJob(service, id, left.signal, async (event) => {
          const preview = fromBase64(choose(event) ?? "");
          if (preview?.length) await send(partialEvent(await encoded(options, preview, output), index++, output));
        });
        requireDone(job);
        await send(completedEvent(await editOf(options, job, output), job, output));
        interest.end();
      } catch (error) {
        interest.leave(false);
        await stream.writeSSE({ event: "error", data: await failed(error).text() });
      } finally {
        clearInterval(beat);
      }
    });
  }

  const app = new Hono<ServerEnv>();
  app.post("/images/edits", async (c) => {
    const { limits } = await readyCapabilities(options);
    const bytes = limits.photoBytes + FORM_BYTES;
    const request = c.req.raw;
    const { form, waiting } = await holdingBody(options, request, bytes, async () => {
      const form = readFields(await options.readForm(request, { bytes, fields: MAX_FIELDS, files: MAX_IMAGES }));
      return { form, waiting: await submit(editsOf(form), clientOf(c)) };
    });
    const output = { format: form.output_format, compression: form.output_compression };
    if (form.stream) return streamReply(c, waiting[0], form.partial_images, output);
    return patientJson((signal) => plainReply(waiting, output, signal), c.req.raw.signal, options);
  });
  app.get("/models", async (c) => {
    const { models } = await readyCapabilities(options);
    return c.json({ object: "list", data: models.map(modelReply) });
  });
  // The name of a model may have slashes.
  app.get("/models/:id{.+}", async (c) => {
    const { models } = await readyCapabilities(options);
    const id = c.req.param("id");
    const found = models.find(({ name }) => name === id);
    if (found) return c.json(modelReply(found));
    return refusal(
      404,
      `this server has no such model; it has ${models.map(({ name }) => name).join(", ")}`,
      "model_not_found",
      {
        param: "model",
      },
    );
  });
  app.post("/images/:other{generations|variations}", () =>
    refusal(404, "this server edits photos and makes none: POST /v1/images/edits", "not_found"),
  );
  app.onError(failed);
  return app;
}
