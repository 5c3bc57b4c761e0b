import { type Signal, signal } from "@preact/signals";
import { backend } from "./backend.ts";

/** Stands for a picture that is still read: one transparent pixel. */
const blank = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/** URLs of pictures that the backend had to read first. */
const urls = new Map<string, Signal<string>>();

/**
 * Returns the URL of a stored picture, for an img. If the backend must read the picture first, the URL is blank, and the
 * component is drawn again when it is there. side: longest side in pixels, for a small copy.
 */
export function pictureUrl(id: string, side?: number): string {
  const key = `${id} ${side}`;
  const known = urls.get(key);
  if (known) return known.value;
  const found = backend().pictureUrl(id, side);
  if (typeof found === "string") return found;
  const url = signal(blank);
  urls.set(key, url);
  found.then(
    (read) => {
      url.value = read;
    },
    // It is asked for again when the component is drawn again.
    () => urls.delete(key),
  );
  return url.value;
}
