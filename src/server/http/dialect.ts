import type { PictureFormat } from "../../image/index.ts";
import type { Capabilities } from "../api/index.ts";
import { NotReadyError } from "../errors.ts";
import type { Service } from "../service.ts";
import type { UploadRoom } from "./body.ts";
import type { Interests } from "./waiting/index.ts";

/** A picture file and its size in pixels. */
export interface PictureFile {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface ConvertOptions {
  readonly format: PictureFormat;
  /** 1 to 100, for JPEG and WebP. */
  readonly quality?: number;
}

/** One field of a form. A file has bytes, any other field has text. */
export type FormField = { readonly name: string } & ({ readonly text: string } | { readonly bytes: Uint8Array });

export interface FormLimits {
  /** Bytes of all fields together. */
  readonly bytes: number;
  readonly fields: number;
  readonly files: number;
  /** Longest time without a new byte, in milliseconds. */
  readonly idleMs?: number;
}

/** Parts of the server that the APIs of other programs need. */
export interface DialectOptions {
  readonly service: Service;
  /** Reads a form of type multipart/form-data, field by field, within limits. Throws RequestError, TooLargeError. */
  readonly readForm: (request: Request, limits: FormLimits) => Promise<readonly FormField[]>;
  /** Writes a picture file in another format. The record of its settings stays in it. */
  readonly convert: (picture: Uint8Array, options: ConvertOptions) => Promise<PictureFile>;
  /** Memory for uploads, which all clients share. */
  readonly room: UploadRoom;
  /** Connections that wait for jobs: one count for all APIs, since equal edits of several APIs are one job. */
  readonly interests: Interests;
  /** Gets errors that no request can be told of. */
  readonly onFault: (error: unknown) => void;
  /** Times for tests: until a plain reply sends headers, and between two spaces. */
  readonly firstMs?: number;
  readonly beatMs?: number;
}

/** Returns what the server offers. Throws NotReadyError while it is starting. */
export async function readyCapabilities({ service }: Pick<DialectOptions, "service">): Promise<Capabilities> {
  const capabilities = await service.capabilities();
  if (capabilities.ready) return capabilities;
  throw new NotReadyError("the server is starting", { advice: "Try again in a few seconds." });
}

/** Runs work that holds the body of a request. most: its largest size in bytes. Throws BusyError if there is no room for it. */
export function holdingBody<T>(
  { room }: Pick<DialectOptions, "room">,
  request: Request,
  most: number,
  work: () => Promise<T>,
): Promise<T> {
  const told = Number(request.headers.get("content-length") ?? most);
  return room.with(Math.min(told, most), work);
}

export const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");

/** Reads base64, with or without "data:image/png;base64," before it. Returns undefined if it is none. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const start = text.startsWith("data:") ? text.indexOf(";base64,") + ";base64,".length : 0;
  if (text.startsWith("data:") && start < ";base64,".length) return undefined;
  const encoded = text.slice(start);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return undefined;
  return new Uint8Array(Buffer.from(encoded, "base64"));
}
