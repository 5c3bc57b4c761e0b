import type { Picture } from "../../core/index.ts";
import type { Method } from "../../editing/index.ts";
import { decodePhoto } from "../../image/node/index.ts";
import type { MadePicture } from "../../server/index.ts";
import type { EditRecord, Photo } from "../../tasks/index.ts";
import { recordIn } from "../../tasks/node/index.ts";
import type { Session } from "./session.ts";
import type { Uploads } from "./uploads.ts";

/** A picture of a server at the size to work at, with the record that it would have here. */
export interface FetchedPicture {
  readonly picture: Picture;
  readonly record: EditRecord;
}

/** Fetches a finished picture. Its record names photo and files by their paths here. Throws ImageError if it has no record. */
export async function fetchPicture(
  { picture: { id } }: MadePicture,
  { client, work, url }: Session,
  of: { readonly method: Method; readonly source: string; readonly photo: Photo; readonly uploads: Uploads },
): Promise<FetchedPicture> {
  const bytes = await client.picture(id, work.signal);
  const { picture } = await decodePhoto(bytes);
  const { image: _, photo, settings, ...record } = recordIn(bytes, `${url}, picture ${id}`);
  const own = {
    ...record,
    photo: { sha256: of.photo.sha256, ...photo, path: of.source },
    settings: of.uploads.settings(of.method, settings, of.photo),
  };
  // In the order of records that are made here.
  const { strength, ...first } = own as EditRecord;
  return { picture, record: strength ? { ...first, strength } : first };
}
