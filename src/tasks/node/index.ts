// Tasks that read photos and keep what they prepare in files and in the cache; the library's face of each method.
// Knows of: everything above, and Node.
// Does not know of: terminals, HTTP.
export {
  type EditTask,
  type EditTaskWork,
  editTask,
  plannedPreparation,
  plannedSettings,
  prepareTask,
  sweepTask,
} from "./edit.ts";
export { type CommonPrepareOptions, type EditResult, faceOf, type MethodFace, type PreparedPhoto } from "./face.ts";
export {
  type Fit,
  type FitOptions,
  finishedPicture,
  fits,
  openAll,
  openPhoto,
  type Photo,
  type PhotoInput,
} from "./photo.ts";
export { readRecord, type WriteOptions, writePicture } from "./picture.ts";
