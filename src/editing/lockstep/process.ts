import { combine, type Tensor } from "../../core/index.ts";
import type { MapMix } from "../../diffusion/index.ts";

/** Terms of classifier-free guidance. */
export const [unconditional, conditional] = ["unconditional", "conditional"] as const;

/** One prediction in a process's guidance: ε̂ = Σ weight·ε(z, t, context). */
export interface Term {
  /** Rows of different processes take from each other within terms of one name. */
  readonly name: string;
  /** A term of weight 0 is computed only if another process takes from its row. */
  readonly weight: number;
  /** Text embedding, [1, L, D]. */
  readonly context: Tensor;
  /** Name of the weights that predict it. Default: the model's own. */
  readonly weights?: string;
}

/** ε̂ = u + w·(c − u), as terms. Ho & Salimans 2022, eq. 6 with w = 1 + their w. */
export const guidedBy = (guidance: number, context: Tensor, empty: Tensor): readonly Term[] => [
  { name: unconditional, weight: guidance === 1 ? 0 : 1 - guidance, context: empty },
  { name: conditional, weight: guidance, context },
];

/** Where a process's rows take from, at the sites of one group. */
export interface AttentionSource {
  /** Name of a process. */
  readonly from: string;
  /** Only in groups that take attention maps. Default: the other row's maps, as they are. */
  readonly mix?: MapMix;
}

/** What a process takes at one step, by the groups' names. */
export type Attention = Readonly<Record<string, AttentionSource | undefined>>;

/** One of the sampling processes that run side by side and may use each other's attention. */
export interface Process {
  readonly name: string;
  /** Its first step: before it, the process does not exist. Default 0, the noisiest. */
  readonly startStep?: number;
  /** Its latent at its first step, [1, C, h, w]. */
  readonly start: Tensor;
  /** Its latents, if they are known: [N + 1, C, h, w]. It is then computed only as far as others take from it. */
  readonly known?: Tensor;
  /** Its guidance at step i. Equal steps of equal processes must give the very same tensors: then they share their rows. */
  readonly terms: (i: number) => readonly Term[];
  /** What the rows of a term take from other processes at step i. Default: nothing. */
  readonly attention?: (i: number, term: string) => Attention;
}

export const firstStep = ({ startStep = 0 }: Process): number => startStep;

/** The guided prediction of a process, from the predictions of its terms in their order. */
export function guided(terms: readonly { readonly weight: number; readonly output: Tensor }[]): Tensor {
  const [first, ...others] = terms.filter(({ weight }) => weight !== 0);
  if (others.length === 0 && first.weight === 1) return first.output;
  const [second, ...rest] = others;
  if (second && rest.length === 0) return combine(first.weight, first.output, second.weight, second.output);
  const data = Float32Array.from(first.output.data, (_, k) =>
    [first, ...others].reduce((sum, { weight, output }) => sum + weight * output.data[k], 0),
  );
  return { shape: first.output.shape, data };
}
