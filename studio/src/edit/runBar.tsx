import { isSending, method, previews, problems, runComparison, runEdit } from "../state/index.ts";

/** Fields that show their own problem. */
const ownFields = ["photo", "target", "source", "model", "method", "preset", "size", "fit"];

/** Problems that no field of the form shows. */
function OtherProblems() {
  const names = new Set(method.value?.options.map(({ name }) => `options.${name}`));
  const others = problems.value.filter(({ field }) => !field || !(ownFields.includes(field) || names.has(field)));
  return (
    <div role="alert">
      {others.map(({ message, advice }) => (
        <p class="problem" key={message}>
          {message}
          {advice && <small>{advice}</small>}
        </p>
      ))}
    </div>
  );
}

/** Starts an edit or a comparison. */
export const RunBar = () => (
  <div class="run-bar">
    <div class="run-buttons">
      <button type="submit" class="main" aria-keyshortcuts="Control+Enter" disabled={isSending.value}>
        {isSending.value ? "Sending…" : "Edit"} <kbd>Ctrl ↵</kbd>
      </button>
      <button type="button" disabled={isSending.value} onClick={runComparison}>
        Compare methods
      </button>
    </div>
    <label class="check">
      <input
        type="checkbox"
        checked={previews.value}
        onChange={({ currentTarget }) => {
          previews.value = currentTarget.checked;
        }}
      />
      Preview while it works
    </label>
    <OtherProblems />
  </div>
);

/** Runs the form. */
export const submitForm = (event: Event): void => {
  event.preventDefault();
  void runEdit();
};
