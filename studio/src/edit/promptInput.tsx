import { unknownWords } from "../../../src/text/unknownWords.ts";
import { described, FieldHelp } from "../parts/field.tsx";
import { Note } from "../parts/note.tsx";
import { currentPhoto, fieldChanged, model, modelName, problemOf, target } from "../state/index.ts";
import { takeExample } from "./files.ts";
import { OtherModel } from "./otherModel.tsx";

/** Words of the prompt that the model was not trained on. */
function UnknownWords() {
  const known = model.value?.knownWords;
  if (!known) return null;
  const unknown = unknownWords(target.value, { words: new Set(known), nearest: new Map() });
  if (unknown.length === 0) return null;
  return (
    <Note>
      {model.value?.name} was not trained on{" "}
      {unknown.map(({ word, nearest }, at) => (
        <>
          {at > 0 && ", "}
          <b>{word}</b>
          {nearest.length > 0 && ` (it knows ${nearest.join(", ")})`}
        </>
      ))}
      . Such words have no effect, or a random one. <OtherModel current={modelName} />
    </Note>
  );
}

/** Prompts that work with the example photo. */
function Examples() {
  const photo = currentPhoto.value;
  const examples = photo && !photo.isExample ? [] : (model.value?.examples ?? []);
  if (examples.length === 0) return null;
  return (
    <fieldset class="examples">
      <legend>
        <small>Try</small>
      </legend>
      {examples.map((example) => (
        <button
          key={example}
          type="button"
          class="chip"
          aria-pressed={target.value === example}
          onClick={() => {
            target.value = example;
            fieldChanged("target");
            if (!photo) void takeExample();
          }}
        >
          {example}
        </button>
      ))}
    </fieldset>
  );
}

/** The target prompt. */
export function PromptInput() {
  const problem = problemOf("target");
  return (
    <section class="prompt-input" aria-label="Prompt">
      <label for="target">What should the photo show?</label>
      <textarea
        {...described("target", problem)}
        rows={2}
        placeholder="a brown dog lying down on the grass"
        value={target.value}
        onInput={({ currentTarget }) => {
          target.value = currentTarget.value;
          fieldChanged("target");
        }}
      />
      <FieldHelp id="target" problem={problem}>
        Describe the whole picture, not the change.
      </FieldHelp>
      <Examples />
      <UnknownWords />
    </section>
  );
}
