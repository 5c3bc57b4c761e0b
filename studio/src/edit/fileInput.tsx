import { useSignal } from "@preact/signals";
import { described } from "../parts/field.tsx";
import { asBackendError, backend, pictureUrl, problemOf } from "../state/index.ts";

/** Chooses a picture as the value of an option, such as a mask. Its value is the id of the uploaded picture. */
export function FileInput({
  id,
  value,
  onChange,
}: {
  id: string;
  value: unknown;
  onChange: (value: string | undefined) => void;
}) {
  const trouble = useSignal("");
  const upload = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    try {
      trouble.value = "";
      onChange((await backend().addPhoto(file)).id);
    } catch (error) {
      trouble.value = asBackendError(error).message;
    }
  };
  return (
    <div class="file">
      {typeof value === "string" && <img src={pictureUrl(value, 64)} alt="Chosen" />}
      <input
        {...described(id, problemOf(id))}
        type="file"
        accept="image/*"
        onChange={({ currentTarget }) => upload(currentTarget.files?.[0])}
      />
      {trouble.value && (
        <small class="bad" role="alert">
          {trouble.value}
        </small>
      )}
    </div>
  );
}
