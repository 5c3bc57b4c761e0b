import { described, FieldHelp } from "../parts/field.tsx";
import { fieldChanged, method, model, problemOf, source } from "../state/index.ts";

/** The caption of the photo, if the method uses one. */
export function CaptionInput() {
  const use = method.value?.caption ?? "unused";
  if (use === "unused") return null;
  const problem = problemOf("source");
  return (
    <section class="prompt-input" aria-label="Caption">
      <label for="source">What does it show now?{use === "optional" && <small> (optional)</small>}</label>
      <textarea
        {...described("source", problem)}
        rows={2}
        required={use === "required"}
        placeholder="a brown dog standing on the grass"
        value={source.value}
        onInput={({ currentTarget }) => {
          source.value = currentTarget.value;
          fieldChanged("source");
        }}
      />
      <FieldHelp id="source" problem={problem}>
        {method.value?.title.split(":")[0]} uses a caption of the photo.{" "}
        {model.value?.hasJudge && (
          <button
            type="button"
            class="link"
            onClick={() => {
              source.value = "auto";
              fieldChanged("source");
            }}
          >
            Let the model caption it
          </button>
        )}
      </FieldHelp>
    </section>
  );
}
