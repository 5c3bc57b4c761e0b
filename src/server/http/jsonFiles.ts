import { pieceStream } from "./pieceStream.ts";

type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** A file that JSON holds in base64. It is read when the JSON is written. */
export class FileInJson {
  readonly read: () => Pieces;

  constructor(read: () => Pieces) {
    this.read = read;
  }
}

const text = new TextEncoder();

/** Three bytes are four characters of base64. */
const GROUP = 3;

/** Yields a file as base64, a piece for each of its pieces. */
async function* base64Of(file: Pieces): AsyncGenerator<Uint8Array, void> {
  let rest = new Uint8Array();
  for await (const piece of file) {
    const whole = new Uint8Array(rest.length + piece.length);
    whole.set(rest);
    whole.set(piece, rest.length);
    const end = whole.length - (whole.length % GROUP);
    rest = whole.slice(end);
    if (end > 0) yield text.encode(Buffer.from(whole.buffer, 0, end).toString("base64"));
  }
  if (rest.length > 0) yield text.encode(Buffer.from(rest).toString("base64"));
}

/**
 * Writes a value as JSON.stringify does, piece by piece, with every FileInJson as base64: however large its files are, one piece is
 * in the memory. Throws what reading a file throws.
 */
export async function* jsonPieces(value: unknown): AsyncGenerator<Uint8Array, void> {
  const files: FileInJson[] = [];
  // No text of the value has it.
  const mark = crypto.randomUUID();
  const whole = JSON.stringify(value, (_, part: unknown) => {
    if (!(part instanceof FileInJson)) return part;
    files.push(part);
    return mark;
  });
  for (const [k, between] of whole.split(mark).entries()) {
    if (k > 0) yield* base64Of(files[k - 1].read());
    yield text.encode(between);
  }
}

/** Answers with a value as `jsonPieces` writes it, as fast as the client takes it. */
export const jsonResponse = (value: unknown): Response =>
  new Response(pieceStream(jsonPieces(value)), {
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store" },
  });
