import { useSignal } from "@preact/signals";
import type { MadePicture, OptionDescription } from "../../../src/server/api/index.ts";
import { capabilities, type ShownJob } from "../state/index.ts";
import { start } from "./actions.ts";
import { axisText, axisValues, canVary, MOST_EDITS, usualValues } from "./axis.ts";
import { editOf } from "./edits.ts";
import { methodNamed } from "./settings.ts";
import { counted, spaced } from "./words.ts";

interface Axis {
  readonly name: string;
  readonly text: string;
}

interface Props {
  readonly job: ShownJob;
  readonly made: MadePicture;
}

/** Starts a sweep: the same edit with every combination of the values of one or two options. */
export function SweepForm({ job, made }: Props) {
  const request = editOf(job.request, made, job.result?.pictures);
  const options = methodNamed(capabilities.value!, request.method)?.options.filter(canVary) ?? [];
  const optionOf = (name: string): OptionDescription | undefined => options.find((one) => one.name === name);
  const axes = useSignal<readonly Axis[]>([{ name: "", text: "" }]);
  if (options.length === 0) return null;

  const change = (at: number, axis: Axis): void => {
    axes.value = axes.value.map((one, k) => (k === at ? axis : one));
  };
  const values = axes.value.flatMap(({ name, text }) => {
    const option = optionOf(name);
    return option ? [[name, axisValues(option, text)] as const] : [];
  });
  const count = values.reduce((product, [, list]) => product * list.length, values.length > 0 ? 1 : 0);
  const submit = (event: Event): void => {
    event.preventDefault();
    const { kind, images, strip, previews, ...common } = request;
    // A value of an axis takes the place of the common one.
    const rest = Object.fromEntries(
      Object.entries(common.options).filter(([name]) => values.every(([axis]) => axis !== name)),
    );
    void start(job.id, { ...common, kind: "sweep", options: rest, axes: Object.fromEntries(values) });
  };
  return (
    <details class="panel">
      <summary>Try several values</summary>
      <form class="sweep-form" onSubmit={submit}>
        {axes.value.map(({ name, text }, at) => (
          <div class="row" key={at}>
            <label>
              {at === 0 ? "Option" : "Second option"}
              <select
                value={name}
                onChange={({ currentTarget: { value } }) => {
                  const option = optionOf(value);
                  change(at, { name: value, text: option ? axisText(option, usualValues(option)) : "" });
                }}
              >
                <option value="">choose…</option>
                {options
                  .filter((one) => one.name === name || axes.value.every((axis) => axis.name !== one.name))
                  .map((one) => (
                    <option key={one.name} value={one.name}>
                      {spaced(one.name)}
                    </option>
                  ))}
              </select>
            </label>
            <label class="wide">
              Values
              <input
                value={text}
                disabled={name === ""}
                aria-describedby={`axis-${at}`}
                onInput={({ currentTarget }) => change(at, { name, text: currentTarget.value })}
              />
            </label>
            <small id={`axis-${at}`} class="about">
              {optionOf(name) ? `${optionOf(name)?.about}: ${optionOf(name)?.expected}` : ""}
            </small>
          </div>
        ))}
        <p class="row">
          <button type="submit" class="main" disabled={count < 2 || count > MOST_EDITS}>
            {count < 2 ? "Make the edits" : `Make ${counted(count, "edit")}`}
          </button>
          {axes.value.length < 2 && axes.value[0].name !== "" && (
            <button
              type="button"
              onClick={() => {
                axes.value = [...axes.value, { name: "", text: "" }];
              }}
            >
              Add a second option
            </button>
          )}
          <small>
            {count > MOST_EDITS
              ? `${count} edits are too many: at most ${MOST_EDITS}`
              : "The photo is inverted once. All edits share that inversion."}
          </small>
        </p>
      </form>
    </details>
  );
}
