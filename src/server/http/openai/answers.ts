import type { PictureFormat } from "../../../image/index.ts";
import type { Job, ModelDescription } from "../../api/index.ts";
import type { DialectOptions, PictureFile } from "../dialect.ts";
import { FileInJson } from "../jsonFiles.ts";
import { pictureOfEdit } from "../waiting/index.ts";

/** How the pictures of a reply are written. */
export interface OutputOptions {
  readonly format: PictureFormat;
  /** 0 to 100, for JPEG and WebP. */
  readonly compression?: number;
}

/** Writes a picture as a reply holds it. */
export const encoded = (
  { convert }: Pick<DialectOptions, "convert">,
  picture: Uint8Array,
  { format, compression }: OutputOptions,
): Promise<PictureFile> => {
  // OpenAI's lowest is 0, sharp's is 1.
  const quality = compression === undefined ? undefined : Math.max(1, compression);
  return convert(picture, { format, ...(format !== "png" && { quality }) });
};

/** A picture in a reply. */
interface PictureInJson {
  readonly file: FileInJson;
  readonly width: number;
  readonly height: number;
}

/** Returns the edit of a finished job. A PNG is read piece by piece; another format is made when the reply gets there. */
export async function editOf(
  options: Pick<DialectOptions, "service" | "convert">,
  job: Job,
  output: OutputOptions,
): Promise<PictureInJson> {
  const { id, width, height } = pictureOfEdit(job);
  const { service } = options;
  const png = await service.openPicture(id);
  const file = new FileInJson(async function* () {
    if (output.format === "png") yield* png.read();
    else yield (await encoded(options, await service.picture(id), output)).bytes;
  });
  return { file, width, height };
}

/** Facts that OpenAI's API has no field for. */
const facts = ({ id, result }: Job) => ({
  job: id,
  seconds: result?.seconds,
  reused_preparation: result?.reusedPreparation,
  settings: result?.settings,
  warnings: result?.warnings.map(({ message }) => message),
});

const sizeText = ({ width, height }: { readonly width: number; readonly height: number }) => `${width}x${height}`;

const now = (): number => Math.floor(Date.now() / 1000);

/** Returns the reply to a request without a stream. */
export const imagesReply = (pictures: readonly PictureInJson[], jobs: readonly Job[], { format }: OutputOptions) => ({
  created: now(),
  data: pictures.map(({ file }) => ({ b64_json: file })),
  output_format: format,
  size: sizeText(pictures[0]),
  baret: jobs.map(facts),
});

/** Fields that both events of a stream have. */
const streamed = (picture: PictureInJson, { format }: OutputOptions) => ({
  b64_json: picture.file,
  created_at: now(),
  size: sizeText(picture),
  quality: "auto",
  background: "auto",
  output_format: format,
});

export const partialEvent = ({ bytes, width, height }: PictureFile, index: number, output: OutputOptions) => ({
  type: "image_edit.partial_image",
  ...streamed({ file: new FileInJson(() => [bytes]), width, height }, output),
  partial_image_index: index,
});

export const completedEvent = (picture: PictureInJson, job: Job, output: OutputOptions) => ({
  type: "image_edit.completed",
  ...streamed(picture, output),
  baret: facts(job),
});

/** Returns a model as OpenAI's API lists it. created: models have no date. */
export const modelReply = ({ name }: ModelDescription) => ({
  id: name,
  object: "model",
  created: 0,
  owned_by: "baret",
});
