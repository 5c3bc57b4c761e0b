import { sha256 } from "../../../core/index.ts";
import type { Model } from "../../../diffusion/index.ts";
import { editSettings, type Method, prepareSettings } from "../../../editing/index.ts";
import type { Case } from "../../cases/case.ts";
import type { Job } from "../../run/job.ts";
import type { Variant } from "../../run/variant.ts";

const hashOf = (value: unknown): string => sha256(JSON.stringify(value)).slice(0, 16);

const identityOf = ({ name, target, source }: Case): readonly unknown[] => [name, target, source];

/** Returns the caption that a method gets. */
export const captionFor = ({ needs }: Method, { source }: Case): string | undefined =>
  needs.caption === "unused" ? undefined : source;

/** Returns a hash of everything that the preparation of a case depends on besides the model. Throws UsageError. */
export function preparationKey(model: Model, one: Case, { method, preset, prepare = {} }: Variant): string {
  const prompts = { target: one.target, source: captionFor(method, one), preset };
  return hashOf([identityOf(one), method.name, prepareSettings(method, model, prompts, prepare)]);
}

/**
 * Returns a function that returns the hash of everything that a job depends on besides the model. scorer: name of the scorer
 * that chooses strengths. It throws UsageError if settings do not fit.
 */
export function keysOf(model: Model, scorer: string): (job: Job) => string {
  // A report asks for the same keys thousands of times.
  const known = new WeakMap<Variant, WeakMap<Case, string>>();
  const editKey = (one: Case, variant: Variant): string => {
    const { method, edit = {}, pictures = ["edit"] } = variant;
    const settings = editSettings(method, model, edit);
    const own = [preparationKey(model, one, variant), settings, pictures];
    return hashOf(settings.strength === "auto" ? [...own, scorer] : own);
  };
  return (job) => {
    if (job.type === "measurement")
      return hashOf([identityOf(job.case), job.measurement.name, job.measurement.settings]);
    const keys = known.get(job.variant) ?? new WeakMap<Case, string>();
    known.set(job.variant, keys);
    const key = keys.get(job.case) ?? editKey(job.case, job.variant);
    keys.set(job.case, key);
    return key;
  };
}
