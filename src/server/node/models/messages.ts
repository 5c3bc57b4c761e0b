import type { JobError, ModelDescription } from "../../api/index.ts";

/** A model to describe: its name for clients, and what findModel takes. */
export interface NamedModel {
  readonly name: string;
  readonly load: string;
}

/** Facts from the files of a model. judge: the name of its judge, which may not be on this disk. */
export interface ModelFacts extends Omit<ModelDescription, "hasJudge"> {
  readonly judge?: string;
}

export type DescribeAnswer = { readonly facts: readonly ModelFacts[] } | { readonly error: JobError };
