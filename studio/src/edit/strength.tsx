import { described, FieldHelp } from "../parts/field.tsx";
import { fieldChanged, method, model, options, problemOf } from "../state/index.ts";
import { modeOf, modesOf, type StrengthMode, withMode } from "./strengthMode.ts";

const words: Readonly<Record<StrengthMode, { label: string; help: string }>> = {
  auto: { label: "Automatic", help: "Tries several edits and keeps as much of the photo as the prompt allows." },
  keep: { label: "I choose", help: "" },
  fixed: { label: "By options", help: "The options below decide." },
};

const firstKeep = 0.5;

/** How much of the photo to keep. */
export function Strength() {
  const now = method.value;
  if (!now?.hasStrip) return null;
  const defaults = model.value?.defaults[now.name] ?? {};
  const mode = modeOf(now, defaults, options.value);
  const keep = typeof options.value.keep === "number" ? options.value.keep : firstKeep;
  const change = (next: StrengthMode, share: number): void => {
    options.value = withMode(now, defaults, options.value, next, share);
    for (const field of ["options.keep", "options.strength"]) fieldChanged(field);
  };
  const problem = problemOf("options.keep") ?? problemOf("options.strength");
  return (
    <fieldset class="strength">
      <legend>Strength</legend>
      <div class="modes">
        {modesOf(now).map((one) => (
          <label key={one}>
            <input type="radio" name="strength" checked={one === mode} onChange={() => change(one, keep)} />
            <span>{words[one].label}</span>
          </label>
        ))}
      </div>
      {mode === "keep" && (
        <>
          <input
            {...described("keep", problem)}
            type="range"
            min={0}
            max={1}
            step={0.01}
            aria-label="From as the photo to as the prompt"
            aria-valuetext={`keep ${Math.round(100 * keep)} % of the photo`}
            value={1 - keep}
            onInput={({ currentTarget }) => change("keep", Math.round(100 * (1 - currentTarget.valueAsNumber)) / 100)}
          />
          <div class="ends" aria-hidden="true">
            <small>as the photo</small>
            <small>keep {keep.toFixed(2)}</small>
            <small>as the prompt</small>
          </div>
        </>
      )}
      <FieldHelp id="keep" problem={problem}>
        {words[mode].help}
      </FieldHelp>
    </fieldset>
  );
}
