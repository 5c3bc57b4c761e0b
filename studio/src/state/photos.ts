import { computed, signal } from "@preact/signals";
import type { StoredPhoto } from "../../../src/server/api/index.ts";
import type { BackendError } from "../backend.ts";
import { asBackendError, backend, onceReady } from "./backend.ts";
import { say } from "./say.ts";

/** A photo to edit. Its `stored` is undefined while it is uploaded. */
export interface Photo {
  /** Number of this photo in the page. */
  readonly key: number;
  readonly name: string;
  /** URL for an img, at once. */
  readonly url: string;
  readonly stored?: StoredPhoto;
  readonly error?: BackendError;
  /** The photo of this package. */
  readonly isExample?: boolean;
}

/** Photos to edit, in the order in which they were added. */
export const photos = signal<readonly Photo[]>([]);
const currentKey = signal(0);

/** The photo that the stage shows. */
export const currentPhoto = computed(() => photos.value.find(({ key }) => key === currentKey.value) ?? photos.value[0]);

export const choosePhoto = (key: number): void => {
  currentKey.value = key;
};

let lastKey = 0;
const change = (key: number, facts: Partial<Photo>): void => {
  photos.value = photos.value.map((photo) => (photo.key === key ? { ...photo, ...facts } : photo));
};

let uploads: Promise<unknown> = Promise.resolve();
/** Waits until all photos are uploaded, or have failed to. */
export const photosReady = async (): Promise<void> => {
  await uploads;
};

async function upload(key: number, file: Blob): Promise<void> {
  try {
    const stored = await onceReady(() => backend().addPhoto(file));
    change(key, { stored });
  } catch (error) {
    change(key, { error: asBackendError(error) });
  }
}

/** A file to upload. */
export interface NewPhoto {
  readonly file: Blob;
  readonly name: string;
  readonly isExample?: boolean;
}

/** Replaces the photos by these files and uploads them. */
export function replacePhotos(files: readonly NewPhoto[]): void {
  if (files.length === 0) return;
  for (const { url } of photos.value) if (url.startsWith("blob:")) URL.revokeObjectURL(url);
  const added = files.map(({ file, name, isExample }) => ({
    file,
    photo: { key: ++lastKey, name, url: URL.createObjectURL(file), ...(isExample && { isExample }) },
  }));
  photos.value = added.map(({ photo }) => photo);
  currentKey.value = added[0].photo.key;
  say(added.length === 1 ? `Photo: ${added[0].photo.name}` : `${added.length} photos`);
  uploads = Promise.all(added.map(({ file, photo }) => upload(photo.key, file)));
}

/** Shows a photo that the backend already has, such as that of an earlier job. url: for an img. */
export function showStoredPhoto(stored: StoredPhoto, name: string, url: string): void {
  const same = photos.value.find((photo) => photo.stored?.id === stored.id);
  if (same) {
    choosePhoto(same.key);
    return;
  }
  const photo = { key: ++lastKey, name, url, stored };
  photos.value = [photo];
  currentKey.value = photo.key;
}

/** Takes a photo off the list. */
export function removePhoto(key: number): void {
  photos.value = photos.value.filter((photo) => photo.key !== key);
}
