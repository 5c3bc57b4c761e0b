import type { z } from "zod";
import type { Picture, Progress, Tensor } from "../core/index.ts";
import type { LatentShapes, Model, Schedule } from "../diffusion/index.ts";
import type { AttentionSite, SiteGroup } from "../models/index.ts";
import type { Hooks, Process } from "./lockstep/index.ts";
import type { Prepared } from "./prepared/prepared.ts";

/** What a method needs besides a photo and a target prompt. */
export interface Needs {
  /** A prompt that describes the photo. */
  readonly sourceCaption: boolean;
  /** It does without such a prompt, but uses one if it is given. */
  readonly optionalCaption?: boolean;
  /** A seed: it draws random numbers. */
  readonly randomSeed: boolean;
  /** Gradients to the U-Net's weights. */
  readonly weightGradients: boolean;
}

/** Shape of one of a method's tensors before it is filled. */
export interface TensorLayout {
  readonly shape: readonly number[];
  /** Starts as NaN instead of 0: entries that may stay unset. */
  readonly unset?: boolean;
}

/** Embeddings [1, L, D]: those of "" (`empty`), of the target, of the source caption if there is one, and of `prompts`. */
export interface Embeddings extends Readonly<Record<string, Tensor>> {
  readonly empty: Tensor;
  readonly target: Tensor;
}

/** What `prepare` works with. */
export interface PrepareJob<Settings, T extends string> {
  readonly model: Model;
  /** The photo, at the size to work at. */
  readonly picture: Picture;
  readonly embeddings: Embeddings;
  readonly schedule: Schedule;
  /** Filled in place. If work resumes, it holds the steps that are done. */
  readonly prepared: Prepared<Settings, T>;
  /** Counts one more step as done, saves it, and reports it. */
  stepDone(progress: Progress): Promise<void>;
  readonly signal?: AbortSignal;
}

/** What `edit` works with. */
export interface EditJob<Settings = Record<string, unknown>, T extends string = string> {
  readonly prepared: Prepared<Settings, T>;
  readonly embeddings: Embeddings;
  readonly schedule: Schedule;
  /** Attention layers of the U-Net at the picture's size. */
  readonly sites: readonly AttentionSite[];
}

/** What `settle` may use. The photo need not be prepared yet. */
export interface SettleFacts<Settings = Record<string, unknown>> {
  readonly prepared: Pick<Prepared<Settings>, "settings" | "size" | "timesteps">;
  /** Attention layers of the U-Net at the picture's size. */
  readonly sites: readonly AttentionSite[];
}

/** How one edit is sampled, and which process makes which picture. */
export interface Sampling<R extends string> {
  readonly processes: readonly Process[];
  /** Name of the process that makes each named picture. */
  readonly pictures: Readonly<Record<R, string>>;
  /** The prompts that these processes read. Default: the target. */
  readonly prompts?: Readonly<Partial<Record<R, string>>>;
  /** Groups of attention sites at which processes take from each other. */
  readonly groups?: readonly SiteGroup[];
  readonly hooks?: Hooks;
  /** Whether identical processes share rows. Default: unless a hook may change latents. */
  readonly share?: boolean;
}

/** Points of a sweep over edit options, and how many stand beside each other on a sheet. */
export interface SweepPoints<E> {
  readonly points: readonly Partial<E>[];
  readonly columns: number;
}

/**
 * An editing method as one value. Its two schemas are the only declaration of its options. P: options that a new `prepare`
 * depends on; E: options of an edit; T: names of the prepared tensors; R: names of the pictures it makes, "edit" among them.
 */
export interface Method<
  P extends z.ZodObject = z.ZodObject,
  E extends z.ZodObject = z.ZodObject,
  T extends string = string,
  R extends string = string,
> {
  /** As `--method` takes it: lower case and dashes. */
  readonly name: string;
  readonly title: string;
  /** Address of its paper. */
  readonly paper: string;
  readonly needs: Needs;
  /** Includes `steps`. */
  readonly prepareOptions: P;
  readonly editOptions: E;
  /** Named sets of prepare options. */
  readonly presets?: Readonly<Record<string, Partial<z.input<P>>>>;
  /** What each of its pictures shows. */
  readonly pictures: Readonly<Record<R, string>>;
  /** Name of the picture that shows the photo itself, as far as the method reproduces it. */
  readonly photoPicture?: NoInfer<R>;

  /** Prompts to embed besides "", target and source, by the names under which `embeddings` has them. */
  prompts?(settings: z.output<P>, target: string): Readonly<Record<string, string>>;
  /** Number of steps of `prepare`. */
  prepareSteps(settings: z.output<P>): number;
  /** The tensors that `prepare` fills. */
  tensors(settings: z.output<P>, shapes: LatentShapes): Readonly<Record<T, TensorLayout>>;
  /** Fills the tensors, from the step `prepared.progress.done` on. */
  prepare(job: PrepareJob<z.output<P>, T>): Promise<void>;
  /** Values in the tensors that the method cannot have made, one problem a line. Shapes are right and numbers below 1e6. */
  problems?(prepared: Prepared<z.output<P>, T>): string[];
  /** Latent of the photo, [1, C, h, w]. */
  photoLatent(prepared: Prepared<z.output<P>, T>): Tensor;
  /** Latent of the photo as the method reproduces it, [1, C, h, w], if it does. */
  reconstruction?(prepared: Prepared<z.output<P>, T>): Tensor;
  /** Optimiser iterations that `prepare` took, if it optimises. */
  iterations?(prepared: Prepared<z.output<P>, T>): number;

  /** Prepare options that can bring the reconstruction nearer to the photo, with values to try. */
  remedies?(prepared: Prepared<z.output<P>, T>): Readonly<Record<string, unknown>>;

  /** Replaces values that depend on model or photo by plain data: functions by lists, levels by layers. */
  settle?(settings: z.output<E>, facts: SettleFacts<z.output<P>>): z.output<E>;
  /**
   * The processes of one edit, for settled settings. key: tells this edit's own processes from those of other edits of
   * the same sweep; processes of equal name are computed once.
   */
  edit(job: EditJob<z.output<P>, T>, settings: z.output<E>, key: string): Sampling<R>;
  /** What a sweep shows if no option names values. defaults: the model's settings. */
  sweepPoints?(defaults: z.output<E>): SweepPoints<z.input<E>>;
}

/** Declares a method; infers its type parameters. */
export const defineMethod = <P extends z.ZodObject, E extends z.ZodObject, T extends string, R extends string>(
  method: Method<P, E, T, R>,
): Method<P, E, T, R> => method;
