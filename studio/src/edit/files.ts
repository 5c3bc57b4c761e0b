import exampleUrl from "../../../examples/dog.png";
import { type NewPhoto, replacePhotos, selectJob } from "../state/index.ts";

/** URL of the photo of this package. */
export { exampleUrl };

/** Pictures that a browser may show and a server may refuse: the server decides, since browsers know fewer types. */
const isPicture = ({ type, name }: File): boolean =>
  type.startsWith("image/") || /\.(png|jpe?g|webp|avif|heic|heif|tiff?|gif|bmp)$/i.test(name);

/** Returns the pictures among files that were dropped, pasted or chosen. */
export const picturesIn = (files: Iterable<File>): NewPhoto[] =>
  [...files].filter(isPicture).map((file) => ({ file, name: file.name || "pasted picture" }));

/** Replaces the photos and shows the first one. Returns false if none of the files is a picture. */
export function takePictures(files: Iterable<File>): boolean {
  const pictures = picturesIn(files);
  if (pictures.length === 0) return false;
  replacePhotos(pictures);
  selectJob(undefined);
  return true;
}

/** Replaces the photos by the example of this package. */
export async function takeExample(): Promise<void> {
  const response = await fetch(exampleUrl);
  replacePhotos([{ file: await response.blob(), name: "dog.png", isExample: true }]);
  selectJob(undefined);
}
