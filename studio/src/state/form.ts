import { computed, signal } from "@preact/signals";
import type { JobRequest, JobRequestInput } from "../../../src/server/api/index.ts";
import { methodOf, methods, modelOf, models } from "./capabilities.ts";

/** Ways to fit the photo to the working size. */
export type Fit = JobRequest["fit"];

// What the person has asked for. Undefined: the default.
export const target = signal("");
export const source = signal("");
export const modelName = signal<string | undefined>(undefined);
export const methodName = signal("baret");
export const preset = signal<string | undefined>(undefined);
export const size = signal("");
export const fit = signal<Fit>("crop");
/** Options that differ from the model's defaults, by name, of the current method. */
export const options = signal<Readonly<Record<string, unknown>>>({});
/** Show the edit while it is computed. */
export const previews = signal(true);

export const model = computed(() => modelOf(modelName.value));
export const method = computed(() => methodOf(methodName.value) ?? methods.value[0]);

/** Options of the methods that are not chosen now. */
const optionsOfOthers = new Map<string, Readonly<Record<string, unknown>>>();

/** Chooses a method. Each has options of its own, which come back with it. */
export function chooseMethod(name: string): void {
  optionsOfOthers.set(methodName.value, options.value);
  methodName.value = name;
  options.value = optionsOfOthers.get(name) ?? {};
  preset.value = undefined;
}

/** Sets an option, or gives it its default back if `value` is undefined. */
export function setOption(name: string, value: unknown): void {
  const { [name]: _, ...rest } = options.value;
  options.value = value === undefined ? rest : { ...rest, [name]: value };
}

/** Fields of every request for a photo. */
export const commonFields = (photo: string) => ({
  photo,
  target: target.value.trim(),
  ...(source.value.trim() && method.value?.caption !== "unused" && { source: source.value.trim() }),
  ...(modelName.value && { model: modelName.value }),
  ...(size.value && { size: size.value }),
  fit: fit.value,
});

/** Fields of a request with one method. */
export const methodFields = () => ({
  method: method.value?.name ?? methodName.value,
  ...(preset.value && { preset: preset.value }),
  options: options.value,
});

/** Makes the request for an edit of a photo. */
export const editRequest = (photo: string): JobRequestInput => ({
  kind: "edit",
  ...commonFields(photo),
  ...methodFields(),
  strip: method.value?.hasStrip ?? false,
  previews: previews.value,
});

/** Fills the form with the settings of a request. Does not change the photo. */
export function fillForm(request: JobRequest): void {
  target.value = request.target;
  source.value = request.source ?? "";
  modelName.value = request.model;
  size.value = request.size ?? "";
  fit.value = request.fit;
  if (request.kind === "compare") return;
  methodName.value = request.method ?? "baret";
  preset.value = request.preset;
  options.value = request.options;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Fills the form with the settings in a picture that baret made, as far as the methods here have them. */
export function fillFromRecord(record: Readonly<Record<string, unknown>>): void {
  const settings = (record.settings ?? {}) as Readonly<Record<string, unknown>>;
  const made = record.model as { readonly name?: unknown } | undefined;
  const of = methodOf(text(settings.method));
  if (!of) return;
  target.value = text(settings.target);
  source.value = text(settings.source);
  size.value = text(settings.size);
  fit.value = (text(settings.fit) || "crop") as Fit;
  modelName.value = models.value.find(({ name }) => name === made?.name)?.name;
  chooseMethod(of.name);
  const usual = model.value?.defaults[of.name] ?? {};
  options.value = Object.fromEntries(
    of.options
      // A file of the record is not here.
      .filter(({ isFile }) => !isFile)
      .map(({ name, default: value }) => [name, settings[name], usual[name] ?? value] as const)
      .filter(([, value, default_]) => value !== undefined && value !== null && !same(value, default_))
      .map(([name, value]) => [name, value]),
  );
}
