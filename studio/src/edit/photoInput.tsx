import { described, FieldHelp } from "../parts/field.tsx";
import { choosePhoto, currentPhoto, type Photo, photos, problemOf, removePhoto, selectJob } from "../state/index.ts";
import { takeExample, takePictures } from "./files.ts";
import { PhotoNotes } from "./photoNotes.tsx";

/** A button that chooses files. */
function FileButton({ label, className }: { label: string; className: string }) {
  return (
    <label class={className}>
      <input
        class="heard"
        type="file"
        accept="image/*"
        multiple
        {...described("photo", problemOf("photo"))}
        onChange={({ currentTarget }) => {
          takePictures(currentTarget.files ?? []);
          // So that choosing the same file again is a change.
          currentTarget.value = "";
        }}
      />
      {label}
    </label>
  );
}

function sizeOf({ stored, error }: Photo): string {
  if (error) return error.message;
  return stored ? `${stored.width} × ${stored.height}` : "Uploading…";
}

/** One of several photos. */
const Thumb = ({ photo, isCurrent }: { photo: Photo; isCurrent: boolean }) => (
  <li class="thumb">
    <button
      type="button"
      class="bare"
      aria-pressed={isCurrent}
      aria-label={`Show ${photo.name}`}
      onClick={() => {
        choosePhoto(photo.key);
        selectJob(undefined);
      }}
    >
      <img src={photo.url} alt="" />
    </button>
    <button type="button" class="remove" aria-label={`Remove ${photo.name}`} onClick={() => removePhoto(photo.key)}>
      ×
    </button>
  </li>
);

const Several = () => (
  <ul class="thumbs" aria-label="Photos">
    {photos.value.map((photo) => (
      <Thumb key={photo.key} photo={photo} isCurrent={photo === currentPhoto.value} />
    ))}
  </ul>
);

const Empty = () => (
  <>
    <FileButton className="drop" label="Drop, paste or choose a photo" />
    <p>
      <small>No photo at hand?</small>{" "}
      <button type="button" class="link" onClick={takeExample}>
        Use the example
      </button>
    </p>
  </>
);

const Chosen = ({ photo }: { photo: Photo }) => (
  <div class="chosen">
    <button type="button" class="bare" aria-label={`Show ${photo.name}`} onClick={() => selectJob(undefined)}>
      <img src={photo.url} alt="" />
    </button>
    <p class="photo-name">
      <span>{photo.name}</span>
      <small class={photo.error ? "bad" : undefined}>{sizeOf(photo)}</small>
    </p>
    <FileButton className="button" label="Replace" />
  </div>
);

/** Chooses photos, and shows those that were chosen. */
export function PhotoInput() {
  const photo = currentPhoto.value;
  return (
    <section class="photo-input" aria-label="Photo">
      {photo ? <Chosen photo={photo} /> : <Empty />}
      {photos.value.length > 1 && <Several />}
      <FieldHelp id="photo" problem={problemOf("photo")} />
      {photo && <PhotoNotes photo={photo} />}
    </section>
  );
}
