// What the tests call in Chromium, in a page and in a Worker.
import { readRecord } from "../../src/image/index.ts";
import * as web from "../../src/image/web/index.ts";

export const decodePhoto = (bytes: Uint8Array, options?: { maxPixels?: number }) => web.decodePhoto(bytes, options);
export const decodeImage = (bytes: Uint8Array, options?: { maxPixels?: number }) => web.decodeImage(bytes, options);
export const readPhotoHeader = (bytes: Uint8Array) => web.readPhotoHeader(bytes);

/** Decodes a file of the user's. */
export const decodeFile = (bytes: Uint8Array, name: string) =>
  web.decodePhoto(new File([bytes as Uint8Array<ArrayBuffer>], name));

export const { encodePicture, encodePng, convertPicture } = web;
export const recordOf = (bytes: Uint8Array) => readRecord(bytes);

/** Calls decodePhoto as plain JavaScript may. */
export const decodeAny = (source: unknown, options?: object) => web.decodePhoto(source as Blob, options);
