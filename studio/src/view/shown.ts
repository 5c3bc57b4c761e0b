import type { JobRequest, MadePicture } from "../../../src/server/api/index.ts";
import { pictureUrl } from "../state/index.ts";

/** A picture on the stage. */
export interface Shown {
  /** Name of the picture within its job. */
  readonly key: string;
  readonly label: string;
  readonly src: string;
  /** How the photo fills the shape of the result: as the program fitted it. */
  readonly fitted: "cover" | "contain" | "fill";
}

/** Key of the photo among the pictures of a job. No picture of a job has this name. */
export const PHOTO = "\u0000photo";

const fits = { crop: "cover", pad: "contain", stretch: "fill", paste: "fill", whole: "fill" } as const;

/** Returns the photo of a job, as the program fitted it to the size of the result. */
export const shownPhoto = ({ photo, fit }: JobRequest): Shown => ({
  key: PHOTO,
  label: "Photo",
  src: pictureUrl(photo),
  fitted: fits[fit],
});

export const shownMade = ({ name, picture }: MadePicture, label: string): Shown => ({
  key: name,
  label,
  src: pictureUrl(picture.id),
  fitted: "fill",
});
