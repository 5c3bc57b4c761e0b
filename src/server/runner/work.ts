import { isRecordedFile, type Picture, sha256, UsageError, type Warning } from "../../core/index.ts";
import type { Model, Size } from "../../diffusion/index.ts";
import { isComplete, keyOf, type Method, type Quality } from "../../editing/index.ts";
import type { AlphaChannel } from "../../image/index.ts";
import {
  type Caption,
  captionsOf,
  type Maker,
  makerOf,
  openPhoto,
  type Photo,
  type PhotoTask,
  type SettingValues,
} from "../../tasks/index.ts";
import type { JobRequest, JobResult, JobWarning } from "../api/index.ts";
import type { JobPlace } from "./place.ts";
import type { MadeFile, RunnerEvent } from "./result.ts";

/** The model, the files and the request of a running job. R: its kind of request. */
export interface JobWork<R extends JobRequest = JobRequest> {
  readonly model: Model;
  /** Name of the model for clients. */
  readonly name: string;
  readonly request: R;
  readonly place: JobPlace;
  readonly emit: (event: RunnerEvent) => void;
  readonly signal: AbortSignal;
}

/** A job's opened photo, its caption, and what the records of its pictures need. */
export interface Opened extends Caption {
  readonly photo: Photo;
  readonly maker: Maker;
}

/** Opens the photo of a job, finds its caption, and loads what records need. Throws ImageError, UsageError, CheckpointError. */
export async function openJob(work: JobWork, methods: readonly Method[]): Promise<Opened> {
  const { model, name, place, signal } = work;
  const { photo: id, size, fit, source } = work.request;
  const photo = await openPhoto(model, await place.readPicture(id), { size: sizeOf(size), fit });
  const [caption] = await captionsOf(methods, model, [photo], source, { signal });
  return { photo, maker: await makerOf(model, { name }, { signal }), ...caption };
}

function sizeOf(text: string | undefined): Size | undefined {
  if (text === undefined) return undefined;
  const [width, height] = text.split("x").map(Number);
  return { width, height };
}

/**
 * Gives a planned task the place where its steps are kept, with the steps that another job has finished. isReused: the photo is
 * prepared already.
 */
export async function withSteps<T extends PhotoTask>(
  task: T,
  { place }: JobWork,
): Promise<{ task: T; isReused: boolean }> {
  const { method, plan } = task;
  const text = keyOf(method, plan);
  const key = sha256(text);
  const store = await place.openSteps({ key, file: `${key}.safetensors`, method: method.name, target: plan.target });
  const found = await store.find(text);
  return { task: { ...task, store }, isReused: found !== undefined && isComplete(found) };
}

/** Values of a finished picture besides the picture. */
export type PictureFacts = Omit<MadeFile, "file" | "width" | "height">;

/** Writes a finished picture as PNG with its record, and returns it with its facts. number: of its file. */
export async function writeMade(
  { request, place }: JobWork,
  number: number,
  { picture, alpha }: { readonly picture: Picture; readonly alpha?: AlphaChannel },
  record: Readonly<Record<string, unknown>>,
  facts: PictureFacts,
): Promise<MadeFile> {
  const file = `${number}.png`;
  const photo = { ...(record.photo as object), path: `${request.photo}.png` };
  const text = withoutFolder(JSON.stringify({ ...record, photo }), place.folder);
  await place.write(file, await place.encodePng(picture, { alpha, record: text }));
  return { ...facts, file, width: picture.width, height: picture.height };
}

/** Removes a folder of this machine from JSON text, so that only names of files are left. */
export const withoutFolder = (json: string, folder: string | undefined): string =>
  folder === undefined
    ? json
    : ["/", "\\"].reduce((text, end) => text.replaceAll(JSON.stringify(folder + end).slice(1, -1), ""), json);

/** Id of the picture in a file that is named after it. */
const idOf = (path: string): string => (path.split(/[/\\]/).at(-1) ?? "").replace(/\.png$/, "");

/** Returns settings as a request has them: of a picture its id. Its file is named after its id. */
export const requestValues = (settings: SettingValues): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, isRecordedFile(value) ? idOf(value.path) : value]),
  );

/** JSON has no infinity: null says that there is no difference. */
export const finite = (decibels: number): number | null => (Number.isFinite(decibels) ? decibels : null);

export const qualityOf = ({ inversion, vae, photo }: Quality): NonNullable<JobResult["quality"]> => ({
  ...(inversion !== undefined && { inversion: finite(inversion) }),
  ...(vae !== undefined && { vae: finite(vae) }),
  ...(photo !== undefined && { photo: finite(photo) }),
});

export const warningOf = ({ code, message, remedies }: Warning): JobWarning => ({
  code,
  message,
  ...(remedies && { remedies }),
});

/** Throws UsageError if the method does not make a picture of that name. */
export function requirePicture({ name: method, pictures }: Method, name: string): void {
  if (Object.hasOwn(pictures, name)) return;
  throw new UsageError(`${method} makes no such picture`, {
    where: "images",
    found: name,
    expected: Object.keys(pictures).join(", "),
  });
}
