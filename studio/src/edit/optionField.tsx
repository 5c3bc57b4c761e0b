import { useSignal } from "@preact/signals";
import type { OptionDescription } from "../../../src/server/api/index.ts";
import { described, FieldHelp } from "../parts/field.tsx";
import { fieldChanged, options, problemOf, setOption } from "../state/index.ts";
import { capital, spaced } from "../view/words.ts";
import { type Control, controlOf, readText, textOf } from "./control.ts";
import { FileInput } from "./fileInput.tsx";

interface ControlProps {
  readonly id: string;
  readonly option: OptionDescription;
  /** The value that counts: the person's, or else the default. */
  readonly value: unknown;
  /** The default in words. */
  readonly usual: string;
  readonly onChange: (value: unknown) => void;
}

const attributes = (id: string) => described(id, problemOf(id));

function Switch({ id, value, onChange }: ControlProps) {
  return (
    <input
      {...attributes(id)}
      type="checkbox"
      checked={value === true}
      onChange={({ currentTarget }) => onChange(currentTarget.checked)}
    />
  );
}

function Choice({ id, value, usual, onChange, control }: ControlProps & { control: Control & { kind: "choice" } }) {
  return (
    <select
      {...attributes(id)}
      value={value === undefined ? "" : String(value)}
      onChange={({ currentTarget }) => onChange(currentTarget.value || undefined)}
    >
      {value === undefined && <option value="">{usual}</option>}
      {control.values.map((word) => (
        <option key={word}>{word}</option>
      ))}
    </select>
  );
}

function Slider({ id, value, onChange, control }: ControlProps & { control: Control & { kind: "slider" } }) {
  return (
    <div class="track">
      <input
        {...attributes(id)}
        type="range"
        min={control.min}
        max={control.max}
        step={0.01}
        value={Number(value)}
        onInput={({ currentTarget }) => onChange(currentTarget.valueAsNumber)}
      />
      <output for={id}>{Number(value).toFixed(2)}</output>
    </div>
  );
}

/** A text that is read while it is typed. */
function Text({ id, value, usual, onChange, control }: ControlProps & { control: Control }) {
  // Undefined unless the field has the focus: what is typed may not be a value yet.
  const draft = useSignal<string | undefined>(undefined);
  const isNumber = control.kind === "number";
  return (
    <input
      {...attributes(id)}
      type="text"
      inputMode={isNumber ? (control.isWhole ? "numeric" : "decimal") : undefined}
      spellcheck={false}
      autocomplete="off"
      placeholder={usual}
      value={draft.value ?? textOf(control, value)}
      onInput={({ currentTarget }) => {
        draft.value = currentTarget.value;
        onChange(readText(control, currentTarget.value));
      }}
      onBlur={() => {
        draft.value = undefined;
      }}
    />
  );
}

function ControlOf({ control, ...props }: ControlProps & { control: Control }) {
  switch (control.kind) {
    case "switch":
      return <Switch {...props} />;
    case "choice":
      return <Choice {...props} control={control} />;
    case "slider":
      // A slider must stand somewhere.
      if (props.value === undefined) return <Text {...props} control={control} />;
      return <Slider {...props} control={control} />;
    case "file":
      return <FileInput id={props.id} value={props.value} onChange={props.onChange} />;
    default:
      return <Text {...props} control={control} />;
  }
}

/** One option of the method: its control, its words, and the way back to the default. usual: the default value. */
export function OptionField({ option, usual }: { option: OptionDescription; usual: unknown }) {
  const { name, about, expected } = option;
  const id = `options.${name}`;
  const given = options.value[name];
  const control = controlOf(option);
  const isChanged = given !== undefined;
  const showsRange = control.kind === "number" || control.kind === "value";
  return (
    <div class={`field ${kindOf(control)}${isChanged ? " changed" : ""}`}>
      <span class="field-head">
        <label for={id}>{capital(spaced(name))}</label>
        {isChanged && (
          <button
            type="button"
            class="link"
            aria-label={`Reset ${spaced(name)}`}
            onClick={() => {
              setOption(name, undefined);
              fieldChanged(id);
            }}
          >
            reset
          </button>
        )}
      </span>
      <ControlOf
        control={control}
        id={id}
        option={option}
        value={given ?? usual}
        usual={option.unset ?? textOf(control, usual)}
        onChange={(value) => {
          setOption(name, same(value, usual) ? undefined : value);
          fieldChanged(id);
        }}
      />
      <FieldHelp id={id} problem={problemOf(id)}>
        {capital(about)}
        {showsRange && `. ${capital(expected)}`}
      </FieldHelp>
    </div>
  );
}

/** Names the look of a control. */
const kindOf = (control: Control): string => (control.kind === "value" && control.isList ? "value list" : control.kind);

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
