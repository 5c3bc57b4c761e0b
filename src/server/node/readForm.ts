import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Busboy, type BusboyHeaders, type BusboyInstance } from "@fastify/busboy";
import { CancelledError, cut, formatBytes } from "../../core/index.ts";
import { BodyTypeError, RequestError, RequestTimeError, TooLargeError } from "../errors.ts";
import type { FormField, FormLimits } from "../http/dialect.ts";
import { partInTime } from "../http/index.ts";

/** Longest text of a field. A prompt has at most 100,000 characters, of up to 4 bytes. */
const MAX_TEXT_BYTES = 400_000;
/** All headers of a field, its name among them. */
const MAX_HEADER_BYTES = 4096;

const damaged = (cause?: unknown): RequestError =>
  new RequestError([{ field: "body", message: "the form is damaged or ends too early" }], { cause });

/**
 * Reads a form of type multipart/form-data while it arrives, and stops at the first thing beyond the limits. Throws TooLargeError,
 * RequestTimeError if nothing arrives for too long, BodyTypeError, RequestError if the form is damaged, CancelledError if the client leaves.
 */
export async function readForm(request: Request, limits: FormLimits): Promise<readonly FormField[]> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;/i.test(type)) {
    const expected = "multipart/form-data, as clients send files";
    throw new BodyTypeError("the type of the body", { where: "Content-Type", found: type || "nothing", expected });
  }
  if (!request.body) throw damaged();
  const fields: FormField[] = [];
  const parser = parserOf(type, limits, fields);
  try {
    const body = Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0]);
    await pipeline(body, (chunks: AsyncIterable<Uint8Array>) => counted(chunks, limits), parser);
  } catch (error) {
    if (request.signal.aborted) throw new CancelledError("the upload", error);
    throw error instanceof TooLargeError || error instanceof RequestTimeError ? error : damaged(error);
  }
  return fields;
}

/** Passes chunks on, up to a number of bytes and as long as they come in time. */
async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  { bytes: most, idleMs }: FormLimits,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  const arriving = chunks[Symbol.asyncIterator]();
  for (;;) {
    // After an error, the pipeline ends what is still to come.
    const { done, value: chunk } = await partInTime(arriving.next(), idleMs);
    if (done) return;
    bytes += chunk.length;
    if (bytes > most) {
      throw new TooLargeError("the form is too large", { expected: `at most ${formatBytes(most)}` });
    }
    yield chunk;
  }
}

/** Makes a parser that adds each whole field to `fields` and fails at the first one beyond the limits. */
function parserOf(type: string, limits: FormLimits, fields: FormField[]): BusboyInstance {
  const parser = make(type, limits);
  const fail = (problem: string, where?: string): void => {
    parser.destroy(new TooLargeError(problem, { where }));
  };
  parser.on("file", (name = "", stream) => {
    // Fields keep their order, whenever their files end.
    const file = { name, bytes: new Uint8Array() };
    fields.push(file);
    const chunks: Uint8Array[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      file.bytes = new Uint8Array(Buffer.concat(chunks));
    });
    // The parser reports the same error.
    stream.on("error", () => undefined);
  });
  parser.on("field", (name = "", text, _, isCut) => {
    if (isCut) fail(`the text has more than ${formatBytes(MAX_TEXT_BYTES)}`, cut(name));
    else fields.push({ name, text });
  });
  parser.on("partsLimit", () => fail(`the form has more than ${limits.fields + limits.files} parts`));
  parser.on("fieldsLimit", () => fail(`the form has more than ${limits.fields} fields`));
  parser.on("filesLimit", () => fail(`the form has more than ${limits.files} files`));
  return parser;
}

function make(type: string, { fields, files, bytes }: FormLimits): BusboyInstance {
  const headers: BusboyHeaders = { "content-type": type };
  try {
    return new Busboy({
      headers,
      limits: {
        fields,
        files,
        parts: fields + files,
        fileSize: bytes,
        fieldSize: MAX_TEXT_BYTES,
        headerPairs: 20,
        headerSize: MAX_HEADER_BYTES,
      },
    });
  } catch (cause) {
    throw damaged(cause);
  }
}
