import type { Context } from "hono";
import { refusal } from "../../http/index.ts";
import type { OpenedPicture, Service } from "../service.ts";
import { rangeOf } from "./byteRange.ts";

/** A picture never changes, since its name is the hash of its bytes. Only the client's own cache may keep it. */
export const keptForever = "private, max-age=31536000, immutable";

/** Sends a stored picture, or the part that the client asks for, piece by piece: however large it is, little memory is used. */
export async function sendPicture(c: Context, service: Pick<Service, "openPicture">, id: string): Promise<Response> {
  const picture = await service.openPicture(id);
  const { bytes } = picture;
  const tag = `"${id}"`;
  const asked = c.req.header("if-range");
  const range = asked === undefined || asked === tag ? rangeOf(c.req.header("range"), bytes) : undefined;
  if (range === "none") {
    const message = `the picture has ${bytes} bytes, and the range begins behind them`;
    return refusal(416, message, "range", { headers: { "Content-Range": `bytes */${bytes}` } });
  }
  const { start, end } = range ?? { start: 0, end: bytes };
  return new Response(streamOf(picture, start, end), {
    status: range ? 206 : 200,
    headers: {
      "Content-Type": "image/png",
      "Content-Length": `${end - start}`,
      "Accept-Ranges": "bytes",
      ETag: tag,
      "Cache-Control": keptForever,
      ...(range && { "Content-Range": `bytes ${start}-${end - 1}/${bytes}` }),
    },
  });
}

/** Reads when the client takes more, and stops if it leaves. */
function streamOf(picture: OpenedPicture, start: number, end: number): ReadableStream<Uint8Array> {
  const pieces = picture.read(start, end);
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await pieces.return();
      },
    },
    // Nothing is read for a request of method HEAD.
    { highWaterMark: 0 },
  );
}
