import exampleUrl from "../../../examples/dog.png";
import { fieldChanged, type NewPhoto, replacePhotos, say, selectJob, showProblem } from "../state/index.ts";

/** URL of the photo of this package. */
export { exampleUrl };

/** Pictures that a browser may show and a server may refuse: the server decides, since browsers know fewer types. */
const isPicture = ({ type, name }: File): boolean =>
  type.startsWith("image/") || /\.(png|jpe?g|webp|avif|heic|heif|tiff?|gif|bmp)$/i.test(name);

/** Returns the pictures among files that were dropped, pasted or chosen. */
export const picturesIn = (files: Iterable<File>): NewPhoto[] =>
  [...files].filter(isPicture).map((file) => ({ file, name: file.name || "pasted picture" }));

/** Replaces the photos and shows the first one. If none of the files is a picture, says so at the photo and returns false. */
export function takePictures(files: Iterable<File>): boolean {
  const all = [...files];
  const pictures = picturesIn(all);
  if (pictures.length > 0) {
    fieldChanged("photo");
    replacePhotos(pictures);
    selectJob(undefined);
  } else if (all.length > 0) {
    const message = `${all[0].name || "That"} is not a picture. Choose a PNG, JPEG, WebP, AVIF, TIFF or GIF.`;
    showProblem({ field: "photo", message });
    say(message);
  }
  return pictures.length > 0;
}

/** Replaces the photos by the example of this package. */
export async function takeExample(): Promise<void> {
  const response = await fetch(exampleUrl);
  fieldChanged("photo");
  replacePhotos([{ file: await response.blob(), name: "dog.png", isExample: true }]);
  selectJob(undefined);
}
