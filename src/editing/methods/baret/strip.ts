import type { Window } from "../../samplingOptions.ts";
import type { EditSettings } from "./options.ts";

type Kept = Pick<EditSettings, "alpha" | "selfSteps" | "crossSteps">;

/** Share of the strip at which the model's own settings lie. */
const usualAt = 0.25;

/** The edit that keeps most: the transition is the reconstruction, and self-attention is the photo's in most steps. */
const rigid = { alpha: [1, 1], selfSteps: [0, 0.8] } as const;

/** Moves from a to b: x in 0..1. */
const between = (a: Window, b: Window, x: number): [number, number] =>
  [0, 1].map((k) => a[k] + (b[k] - a[k]) * x) as [number, number];

/**
 * BARET's strip: plain sampling at keep 0, the model's settings at 0.25, the rigid edit at 1, and evenly between them. It goes
 * along the paper's figures 9 and 10, in all three settings at once.
 */
export function stripOfBaret(keep: number, usual: EditSettings): Kept {
  const alpha = endsOf(usual.alpha);
  const { selfSteps, crossSteps } = usual;
  if (keep >= usualAt) {
    const x = (keep - usualAt) / (1 - usualAt);
    return {
      alpha: between(alpha, rigid.alpha, x),
      selfSteps: between(selfSteps, rigid.selfSteps, x),
      crossSteps,
    };
  }
  const x = keep / usualAt;
  const none = [0, 0] as const;
  return {
    alpha: between(none, alpha, x),
    selfSteps: between(none, selfSteps, x),
    crossSteps: between(none, crossSteps, x),
  };
}

/** Returns α at the first and at the last step. */
function endsOf(alpha: EditSettings["alpha"]): Window {
  if (typeof alpha === "number") return [alpha, alpha];
  if (typeof alpha === "function") return [alpha(0, 2), alpha(1, 2)];
  return [alpha[0], alpha[alpha.length - 1]];
}
