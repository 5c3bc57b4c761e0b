import type { Tensor } from "../../core/index.ts";
import type { KeyMask, MapMix } from "../../diffusion/index.ts";

/** Names of the terms of classifier-free guidance. */
export const [unconditional, conditional] = ["unconditional", "conditional"] as const;

/** One term of a process's guidance: ε̂ = Σ weight·ε(z, t, context). */
export interface Term {
  /** A row takes attention only from rows of terms with the same name. */
  readonly name: string;
  /** A term of weight 0 is computed only if another process takes from its row. */
  readonly weight: number;
  /** Text embedding, [1, L, D]. */
  readonly context: Tensor;
  /** Name of the weights that predict it: for a method, a set of its prepared weights. Default: the model's own. */
  readonly weights?: string;
}

/** Returns the terms of ε̂ = u + w·(c − u). Ho & Salimans 2022, eq. 6 with w = 1 + their w. */
export const guidedBy = (guidance: number, context: Tensor, empty: Tensor): readonly Term[] => [
  { name: unconditional, weight: guidance === 1 ? 0 : 1 - guidance, context: empty },
  { name: conditional, weight: guidance, context },
];

/** Source of a process's attention at the sites of one group. */
export interface AttentionSource {
  /** Name of a process. */
  readonly from: string;
  /** Only for groups that take attention maps. Default: the maps of the other row, unchanged. */
  readonly mix?: MapMix;
  /**
   * Only for masked groups: returns the mask of the keys when the step is computed, or undefined for none. To share rows,
   * identical processes must return the very same function.
   */
  readonly mask?: () => KeyMask | undefined;
}

/** Attention sources of a process at one step, by the names of the groups. */
export type Attention = Readonly<Record<string, AttentionSource | undefined>>;

/** A sampling process. Processes run in lock step and may take each other's attention. */
export interface Process {
  readonly name: string;
  /** Its first step. Default 0, the noisiest. */
  readonly startStep?: number;
  /** Its latent at its first step, [1, C, h, w]. */
  readonly start: Tensor;
  /** Its latents, if they are known: [N + 1, C, h, w]. Then only the rows that others take from are computed. */
  readonly known?: Tensor;
  /** Returns its guidance at step i. To share rows, identical processes must return the very same tensors. */
  readonly terms: (i: number) => readonly Term[];
  /** Returns the attention sources of a term's row at step i. Default: none. */
  readonly attention?: (i: number, term: string) => Attention;
}

export const firstStep = ({ startStep = 0 }: Process): number => startStep;
