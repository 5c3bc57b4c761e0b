import type { Picture, Progress } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import type { ModelDescription, StoredPhoto } from "../api/index.ts";
import type { BlobStore } from "../blobs.ts";
import type { JobPlace, PngFacts } from "../runner/index.ts";
import type { DownloadNews } from "./news.ts";

/** Pictures by the SHA-256 of their bytes. */
export type PageBlobs = Pick<BlobStore, "put" | "get" | "head" | "delete" | "list">;

/** A decoded photo as PNG, upright. */
export interface DecodedPhoto extends Pick<StoredPhoto, "width" | "height" | "warnings"> {
  readonly png: Uint8Array;
  /** JSON text of the record in a picture that baret made. */
  readonly record?: string;
}

/** Decodes and encodes pictures, as the platform can. */
export interface PagePictures {
  /** Throws ImageError if the file is no picture, or if it has more pixels than `maxPixels`. */
  decode(photo: Blob, maxPixels: number): Promise<DecodedPhoto>;
  encodePng(picture: Picture, facts: PngFacts): Promise<Uint8Array>;
  /** Returns a picture as a small WebP in a data URL. */
  encodePreview(picture: Picture): Promise<string>;
}

/** A model that is loaded. */
export interface LoadedModel {
  readonly model: Model;
  /** Where the steps of preparations are kept. */
  readonly steps: JobPlace["openSteps"];
}

/** Arguments of loading a model. */
export interface LoadWork {
  /** Reads a picture that an option names, such as a mask. */
  readonly readPicture: (name: string) => Promise<Uint8Array>;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

/** The models of a page. */
export interface PageModels {
  /** The first one is the default. */
  descriptions(): readonly ModelDescription[];
  /** Device on which a model runs, as the records of pictures name it. */
  deviceOf(name: string): string;
  /** False for a model that must be opened first, so that its jobs wait. name: default is the first one. */
  isReady(name: string | undefined): boolean;
  /** Calls `hear` when more of the models' files has arrived. */
  listen(hear: (news: DownloadNews) => void): void;
  /** How much of the models' files is here. */
  readonly arrived: DownloadNews;
  /** Loads a model, or returns the one that is loaded. Throws as `loadModel`. */
  load(name: string, work: LoadWork): Promise<LoadedModel>;
}
