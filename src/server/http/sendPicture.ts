import type { Context } from "hono";
import { refusal } from "../../http/index.ts";
import type { Service } from "../service.ts";
import { rangeOf } from "./byteRange.ts";
import { pieceStream } from "./pieceStream.ts";

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
  return new Response(pieceStream(picture.read(start, end)), {
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
