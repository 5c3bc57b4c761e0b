import type { z } from "zod";
import type { Picture, Progress, Tensor } from "../core/index.ts";
import type { LatentShapes, Model, Network, Schedule } from "../diffusion/index.ts";
import type { Optimiser, Trajectories } from "../inversion/index.ts";
import type { AttentionSite, SiteGroup } from "../models/index.ts";
import type { Hooks, Process } from "./lockstep/index.ts";
import type { Prepared } from "./prepared/prepared.ts";

/** Use of a caption of the photo. If it is unused, a given one has no effect. */
export type CaptionUse = "required" | "optional" | "unused";

/** Needs of a method besides a photo and a target prompt. */
export interface Needs {
  readonly caption: CaptionUse;
  /** A seed, since it draws random numbers. */
  readonly randomSeed: boolean;
  /** Gradients of the U-Net's weights. */
  readonly weightGradients: boolean;
}

/** Shape of one of a method's tensors. */
export interface TensorLayout {
  readonly shape: readonly number[];
  /** Filled with NaN at first instead of 0. NaN marks entries that stay unset. */
  readonly unset?: boolean;
}

/** The network of a set of weights. A U-Net with positions has one weight more, the grid of `positionGrid`. */
export type SetNetwork = Network | "unet with positions";

/** Embeddings [1, L, D] of "" (`empty`), the target, the source caption if there is one, and the method's `prompts`. */
export interface Embeddings extends Readonly<Record<string, Tensor>> {
  readonly empty: Tensor;
  readonly target: Tensor;
}

/** Input of a method's `prepare`. */
export interface PrepareJob<Settings, T extends string> {
  readonly model: Model;
  /** The photo, at the size to work at. */
  readonly picture: Picture;
  /** The photo at `photoScale` times that size. Absent if the method's `photoScale` is. */
  readonly larger?: Picture;
  readonly embeddings: Embeddings;
  readonly schedule: Schedule;
  /** Filled in place. If work resumes, it holds the finished steps. */
  readonly prepared: Prepared<Settings, T>;
  /** Inversions of other methods and of earlier runs, which `invertPhoto` uses. Default: none. */
  readonly trajectories?: Trajectories;
  /** Optimiser of `invertAndTune`. Default: Adam. */
  readonly optimiser?: Optimiser;
  /** Counts `steps` more steps as done (default 1), saves the prepared value, and reports progress. */
  stepDone(progress: Progress, steps?: number): Promise<void>;
  /** Reports progress within steps that `stepDone` counts later. */
  report(progress: Progress): void;
  readonly signal?: AbortSignal;
}

/** Reads prompts as the text encoder does. */
export type PromptReader = Pick<Model, "positionsOf" | "tokenize" | "wordsOf">;

/** Input of a method's `edit`. */
export interface EditJob<Settings = Record<string, unknown>, T extends string = string> {
  readonly prepared: Prepared<Settings, T>;
  readonly embeddings: Embeddings;
  readonly schedule: Schedule;
  /** Attention sites of the U-Net at the picture's size. */
  readonly sites: readonly AttentionSite[];
  readonly reader: PromptReader;
}

/** Facts for `resolve`, which may refuse settings. The photo need not be prepared yet. */
export interface ResolveFacts<Settings = Record<string, unknown>> {
  readonly prepared: Pick<Prepared<Settings>, "target" | "source" | "settings" | "size" | "timesteps">;
  /** Attention sites of the U-Net at the picture's size. */
  readonly sites: readonly AttentionSite[];
  readonly reader: PromptReader;
}

/** Options that have an effect only if one of those in `needs` is set. */
export interface Dependents {
  readonly options: readonly string[];
  readonly needs: readonly string[];
}

/** True if one of the options that others need is set. */
export const isMet = ({ needs }: Dependents, settings: Readonly<Record<string, unknown>>): boolean =>
  needs.some((name) => settings[name]);

/** The sampling processes of one edit, and their pictures. */
export interface Sampling<R extends string> {
  readonly processes: readonly Process[];
  /** Name of the process that makes each named picture. */
  readonly pictures: Readonly<Record<R, string>>;
  /** Prompts of these processes. Default: the target. */
  readonly prompts?: Readonly<Partial<Record<R, string>>>;
  /** Groups of attention sites at which processes take from each other. */
  readonly groups?: readonly SiteGroup[];
  readonly hooks?: Hooks;
  /** Lets identical processes share rows. Default: true, unless a hook may change latents. */
  readonly share?: boolean;
  /** Computes the inner parts of the U-Net at every n-th step only. Default 1: at every step. */
  readonly reuse?: number;
}

/** Points of a sweep over edit options, and the number of columns of its sheet. */
export interface SweepPoints<E> {
  readonly points: readonly Partial<E>[];
  readonly columns: number;
}

/** The edits of a method in order: from "as the photo" to "as the prompt". */
export interface Strip<P, E> {
  /** Names of the options that it sets. */
  readonly options: readonly (keyof E & string)[];
  /** Share at which the edit is plain sampling: DDIM inversion, then sampling with the target prompt. */
  readonly plainAt?: number;
  /** Returns their values. keep: 1 keeps the photo, 0 follows the prompt; usual: the model's settings. */
  settings(keep: number, usual: E, facts: ResolveFacts<P>): Partial<E>;
}

/**
 * An editing method as one value. Its two schemas are the only declaration of its options. P: options of `prepare`; a change
 * needs a new `prepare`. E: options of `edit`. T: names of the prepared tensors. R: names of its pictures, "edit" among them.
 */
export interface Method<
  P extends z.ZodObject = z.ZodObject,
  E extends z.ZodObject = z.ZodObject,
  T extends string = string,
  R extends string = string,
> {
  /** Lower case and dashes. */
  readonly name: string;
  readonly title: string;
  /** URL of its paper. */
  readonly paper: string;
  readonly needs: Needs;
  /** True if `prepare` does not read the target prompt, so that a prepared photo serves every target. Default: false. */
  readonly servesEveryTarget?: boolean;
  /** Includes `steps`. */
  readonly prepareOptions: P;
  readonly editOptions: E;
  /** Options with which one step of `prepare` and of `edit` needs as much memory as any, for memory estimates. */
  readonly heaviest?: { readonly prepare: Partial<z.input<P>>; readonly edit: Partial<z.input<E>> };
  /** Options with which `prepare` takes longest, if others let it end early. For estimates of time. */
  readonly slowest?: Partial<z.input<P>>;
  /** Edit options that have an effect only with others. */
  readonly dependents?: readonly Dependents[];
  /** Former names of options in the records of older versions, with their present names. */
  readonly formerNames?: Readonly<Record<string, keyof z.output<P> | keyof z.output<E>>>;
  /** Named sets of prepare options. */
  readonly presets?: Readonly<Record<string, Partial<z.input<P>>>>;
  /** Titles of its pictures. */
  readonly pictures: Readonly<Record<R, string>>;
  /** Name of the picture that reproduces the photo, if there is one. */
  readonly photoPicture?: NoInfer<R>;

  /** Returns prompts to embed besides "", target and source, by their names in `embeddings`. */
  prompts?(settings: z.output<P>, target: string): Readonly<Record<string, string>>;
  /** Returns the size at which `prepare` reads the photo too, in sizes to work at; undefined: it reads the working size alone. */
  photoScale?(settings: z.output<P>): number | undefined;
  /** Returns the number of steps of `prepare`. */
  prepareSteps(settings: z.output<P>): number;
  /** Returns the layout of the tensors that `prepare` fills. */
  tensors(settings: z.output<P>, shapes: LatentShapes): Readonly<Record<T, TensorLayout>>;
  /**
   * Returns the sets of weights that a value holds after `done` steps, each with its network: tuned weights, or Adam's moments
   * for them. A set has a tensor for each weight of its network. Absent if the method tunes no weights.
   */
  weightSets?(settings: z.output<P>, done: number): Readonly<Record<string, SetNetwork>>;
  /** Fills the tensors, from the step `prepared.progress.done` on. */
  prepare(job: PrepareJob<z.output<P>, T>): Promise<void>;
  /** Lists values that `prepare` cannot have computed, one problem a line. Shapes are right and numbers are up to 1e6. */
  problems?(prepared: Prepared<z.output<P>, T>): string[];
  /** Returns the latent of the photo, [1, C, h, w]. */
  photoLatent(prepared: Prepared<z.output<P>, T>): Tensor;
  /**
   * Returns the latent of the reconstruction, [1, C, h, w]. edit: resolved settings of the edit that it is for, if they are
   * known. Absent if the method has none.
   */
  reconstruction?(prepared: Prepared<z.output<P>, T>, edit?: Partial<z.output<E>>): Tensor;
  /** Returns the number of optimiser iterations of `prepare`. Absent if the method does not optimise. */
  iterations?(prepared: Prepared<z.output<P>, T>): number;

  /** Returns prepare options, with values, that may improve the reconstruction. */
  remedies?(prepared: Prepared<z.output<P>, T>): Readonly<Record<string, unknown>>;

  /**
   * Replaces settings that depend on the model, the photo or the prompts by plain data: functions by lists, default layers by
   * levels. Throws UsageError if they do not fit.
   */
  resolve?(settings: z.output<E>, facts: ResolveFacts<z.output<P>>): z.output<E>;
  /**
   * Returns the processes of one edit. settings: resolved. key: suffix for the names of processes that other edits of the
   * same sweep cannot share. Processes of equal names are computed once.
   */
  edit(job: EditJob<z.output<P>, T>, settings: z.output<E>, key: string): Sampling<R>;
  /**
   * Its edits from "as the photo" to "as the prompt", for --keep and for choosing the strength. Its edit options include
   * `strengthOptions` of samplingOptions.ts.
   */
  readonly strip?: Strip<z.output<P>, z.output<E>>;
  /** Returns the points of a sweep if no option has several values. defaults: the model's settings. */
  sweepPoints?(defaults: z.output<E>): SweepPoints<z.input<E>>;
}

/** Declares a method and infers its type parameters. */
export const defineMethod = <P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>(
  method: Method<P, E, T, R>,
): Method<P, E, T, R> => method;
