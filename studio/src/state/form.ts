import { computed, signal } from "@preact/signals";
import type { JobRequest, JobRequestInput } from "../../../src/server/api/index.ts";
import { methodOf, methods, modelOf } from "./capabilities.ts";

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
