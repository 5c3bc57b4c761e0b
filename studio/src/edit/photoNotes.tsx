import { Note } from "../parts/note.tsx";
import { fillFromRecord, model, modelName, type Photo, selectJob } from "../state/index.ts";
import { OtherModel } from "./otherModel.tsx";

/** Offers the settings of a picture that baret made. */
function Recorded({ record }: { record: Record<string, unknown> }) {
  const settings = record.settings as Record<string, unknown> | undefined;
  if (!settings) return null;
  return (
    <Note>
      baret made this picture with {String(settings.method)} and the prompt “{String(settings.target)}”.{" "}
      <button
        type="button"
        class="link"
        onClick={() => {
          fillFromRecord(record);
          selectJob(undefined);
        }}
      >
        Use its settings
      </button>
    </Note>
  );
}

/** Says what the person should know about a photo before an edit. */
export function PhotoNotes({ photo }: { photo: Photo }) {
  const { stored, isExample } = photo;
  const isSmallWorld = model.value?.knownWords !== undefined;
  return (
    <>
      {stored?.record && <Recorded record={stored.record} />}
      {stored?.warnings.map((warning) => (
        <Note key={warning}>{warning}</Note>
      ))}
      {isSmallWorld && stored && !isExample && !stored.record && (
        <Note>
          {model.value?.name} knows small pictures of its own simple world. Of a camera's photo, expect a poor edit.{" "}
          <OtherModel current={modelName} />
        </Note>
      )}
    </>
  );
}
