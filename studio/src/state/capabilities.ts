import { computed, signal } from "@preact/signals";
import type { Capabilities, MethodDescription, ModelDescription } from "../../../src/server/api/index.ts";

/** The backend's capabilities. Undefined until it has answered. */
export const capabilities = signal<Capabilities | undefined>(undefined);

export const models = computed<readonly ModelDescription[]>(() => capabilities.value?.models ?? []);
export const methods = computed<readonly MethodDescription[]>(() => capabilities.value?.methods ?? []);

/** Returns a model by its name, or the first one if there is none of this name. */
export const modelOf = (name: string | undefined): ModelDescription | undefined =>
  models.value.find((model) => model.name === name) ?? models.value[0];

/** Returns a method by its name. */
export const methodOf = (name: string): MethodDescription | undefined =>
  methods.value.find((method) => method.name === name);
