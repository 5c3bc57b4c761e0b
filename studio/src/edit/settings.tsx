import type { MethodDescription, ModelDescription, OptionDescription } from "../../../src/server/api/index.ts";
import { described, FieldHelp } from "../parts/field.tsx";
import {
  backend,
  chooseMethod,
  type Fit,
  fieldChanged,
  fit,
  method,
  methods,
  model,
  modelName,
  models,
  options,
  preset,
  problemOf,
  problems,
  size,
} from "../state/index.ts";
import { defaultOf } from "../view/settings.ts";
import { counted } from "../view/words.ts";
import { groupsOf } from "./control.ts";
import { OptionField } from "./optionField.tsx";
import { strengthIsMode } from "./strengthMode.ts";

/** A choice of one word of several. */
function Choice<T extends string>(props: {
  id: string;
  label: string;
  value: T;
  choices: readonly (readonly [value: T, label: string])[];
  help?: string;
  onChange: (value: T) => void;
}) {
  const { id, label, value, choices, help, onChange } = props;
  return (
    <div class="field choice">
      <label for={id}>{label}</label>
      <select
        {...described(id, problemOf(id))}
        value={value}
        onChange={({ currentTarget }) => {
          onChange(currentTarget.value as T);
          fieldChanged(id);
        }}
      >
        {choices.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
      <FieldHelp id={id} problem={problemOf(id)}>
        {help}
      </FieldHelp>
    </div>
  );
}

function Models({ current }: { current: ModelDescription }) {
  const { chooseModel } = backend();
  return (
    <>
      <Choice
        id="model"
        label="Model"
        value={current.name}
        choices={models.value.map(({ name }) => [name, name])}
        help={`Works at ${current.size.width} × ${current.size.height} pixels`}
        onChange={(name) => {
          modelName.value = name;
        }}
      />
      {chooseModel && (
        <button type="button" class="link choose-model" onClick={chooseModel}>
          Choose a Stable Diffusion checkpoint…
        </button>
      )}
    </>
  );
}

const Methods = ({ current }: { current: MethodDescription }) => (
  <Choice
    id="method"
    label="Method"
    value={current.name}
    choices={methods.value.map(({ name, weightGradients }) => [
      name,
      weightGradients ? `${name} (takes minutes)` : name,
    ])}
    help={current.title}
    onChange={(name) => {
      chooseMethod(name);
      // Those of the other method's options.
      problems.value = [];
    }}
  />
);

const Presets = ({ names }: { names: readonly string[] }) => (
  <Choice
    id="preset"
    label="Preset"
    value={preset.value ?? ""}
    choices={[["", "the model's"], ...names.map((name) => [name, name] as const)]}
    onChange={(name) => {
      preset.value = name || undefined;
    }}
  />
);

const fits: readonly (readonly [Fit, string])[] = [
  ["crop", "edit its middle"],
  ["paste", "edit its middle, put it back into the photo"],
  ["whole", "edit all of it, at its own size"],
  ["pad", "add borders"],
  ["stretch", "stretch it"],
];

const Fits = () => (
  <Choice
    id="fit"
    label="A photo of another shape"
    value={fit.value}
    choices={fits}
    onChange={(way) => {
      fit.value = way;
    }}
  />
);

const Size = ({ usual }: { usual: string }) => (
  <div class="field value">
    <label for="size">Size to work at</label>
    <input
      {...described("size", problemOf("size"))}
      type="text"
      placeholder={usual}
      value={size.value}
      onInput={({ currentTarget }) => {
        size.value = currentTarget.value.trim();
        fieldChanged("size");
      }}
    />
    <FieldHelp id="size" problem={problemOf("size")}>
      Width x height in pixels
    </FieldHelp>
  </div>
);

/** Folded options. They unfold if one of them is wrong. */
function Folded({ title, list, usual }: { title: string; list: readonly OptionDescription[]; usual: Usual }) {
  if (list.length === 0) return null;
  const changed = list.filter(({ name }) => options.value[name] !== undefined).length;
  const isWrong = problems.value.some(({ field }) => list.some(({ name }) => field === `options.${name}`));
  return (
    <details open={isWrong || undefined}>
      <summary>
        {title}
        {changed > 0 && <small class="count">{counted(changed, "change")}</small>}
      </summary>
      <Fields list={list} usual={usual} />
    </details>
  );
}

type Usual = (name: string) => unknown;

const Fields = ({ list, usual }: { list: readonly OptionDescription[]; usual: Usual }) => (
  <div class="fields">
    {list.map((option) => (
      <OptionField key={option.name} option={option} usual={usual(option.name)} />
    ))}
  </div>
);

/** Model, method and their options. */
export function Settings() {
  const [one, chosen] = [method.value, model.value];
  if (!one || !chosen) return null;
  const own = one.hasStrip ? ["keep", ...(strengthIsMode(one) ? ["strength"] : [])] : [];
  const groups = groupsOf(one.options, own);
  const usual: Usual = (name) => defaultOf(one, chosen, name);
  const isChanged = Object.keys(options.value).length > 0 || preset.value !== undefined;
  return (
    <section class="setup" aria-labelledby="settings-title">
      <div class="section-head">
        <h2 id="settings-title">Settings</h2>
        {isChanged && (
          <button
            type="button"
            class="link"
            onClick={() => {
              options.value = {};
              preset.value = undefined;
            }}
          >
            Reset all
          </button>
        )}
      </div>
      <div class="fields">
        <Methods current={one} />
        <Models current={chosen} />
      </div>
      <Fields key={one.name} list={groups.usual} usual={usual} />
      <Folded key={`${one.name} edit`} title="More of the edit" list={groups.edit} usual={usual} />
      <Folded key={`${one.name} prepare`} title="Preparing the photo" list={groups.prepare} usual={usual} />
      <details>
        <summary>Size and shape</summary>
        <div class="fields">
          {one.presets.length > 0 && <Presets names={one.presets} />}
          <Fits />
          <Size usual={`${chosen.size.width}x${chosen.size.height}`} />
        </div>
      </details>
    </section>
  );
}
