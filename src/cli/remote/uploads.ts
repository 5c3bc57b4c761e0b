import { readFile } from "node:fs/promises";
import { isRecordedFile, optionsOf, type RecordedFile } from "../../core/index.ts";
import { nodePlatform } from "../../diffusion/node/index.ts";
import type { Method } from "../../editing/index.ts";
import { encodePng } from "../../image/node/index.ts";
import { storageError } from "../../storage/node/index.ts";
import { openAll, openPhoto, type Photo, type SettingValues } from "../../tasks/index.ts";
import type { PhotoFlags } from "../edit/tasks.ts";
import { runBlocking } from "../interrupt.ts";
import type { Session } from "./session.ts";

/** A photo, fitted here as the server fits it, and its id on the server. */
export interface UploadedPhoto {
  readonly photo: Photo;
  readonly id: string;
}

/** Pictures of this machine that a server has. */
export class Uploads {
  private readonly session: Session;
  /** Ids by paths, and paths by ids. */
  private readonly ids = new Map<string, string>();
  private readonly paths = new Map<string, string>();

  constructor(session: Session) {
    this.session = session;
  }

  /** Opens photos, each once, and uploads them. Throws one ImageError that lists every photo that cannot be read. */
  async photos(paths: readonly string[], { size, fit }: PhotoFlags): Promise<ReadonlyMap<string, UploadedPhoto>> {
    const { model } = this.session;
    const workingSize = (asked?: Photo["picture"] | { width: number; height: number }) => asked ?? model.size;
    const open = (path: string) => () =>
      openPhoto({ workingSize, platform: nodePlatform }, path, { size, fit }, runBlocking);
    const photos = await openAll([...new Set(paths)].map(open));
    const uploaded = new Map<string, UploadedPhoto>();
    for (const photo of photos) {
      // Opacity stays here, where the finished edit gets it back.
      const bytes = photo.alpha ? new Uint8Array(await encodePng(photo.full)) : await bytesOf(photo.name);
      uploaded.set(photo.name, { photo, id: await this.upload(photo.name, bytes) });
    }
    return uploaded;
  }

  /** Returns options with the files that they name uploaded: their values are ids. */
  async options(method: Method, values: SettingValues): Promise<Record<string, unknown>> {
    const sent: Record<string, unknown> = { ...values };
    for (const { name, isFile } of optionsOf(method.editOptions)) {
      const value = values[name];
      const path = isRecordedFile(value) ? value.path : value;
      if (isFile && typeof path === "string") sent[name] = await this.upload(path, await bytesOf(path));
    }
    return sent;
  }

  /** Returns settings of the server as this machine has them: files by their paths here, and the photo's own fit. */
  settings(method: Method, settings: SettingValues, { fit }: Photo): SettingValues {
    const files = new Set(optionsOf(method.editOptions).flatMap(({ name, isFile }) => (isFile ? [name] : [])));
    const own = Object.entries(settings).map(([name, value]) => [name, files.has(name) ? this.file(value) : value]);
    const values = Object.fromEntries(own);
    return "fit" in values ? { ...values, fit } : values;
  }

  /** Returns a file that a record or an event of the server names, by its path here. */
  private file(value: unknown): unknown {
    const named: RecordedFile | undefined = isRecordedFile(value) ? value : undefined;
    const id = named ? named.path.replace(/\.png$/, "") : value;
    const path = this.paths.get(`${id}`);
    return path === undefined ? value : { path, sha256: named?.sha256 ?? `${id}` };
  }

  private async upload(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const { client, work } = this.session;
    const known = this.ids.get(path);
    if (known !== undefined) return known;
    const { id } = await client.addPhoto(bytes, { signal: work.signal });
    this.ids.set(path, id);
    this.paths.set(id, path);
    return id;
  }
}

async function bytesOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw storageError("cannot be read", path, cause);
  });
  return new Uint8Array(bytes);
}
