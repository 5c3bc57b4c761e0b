import type { EditSettings } from "./options.ts";

type Ends = [number, number];

/** The settings that the strip moves. */
type Moved = Pick<EditSettings, "selfSteps" | "crossSteps" | "blendBelow" | "newNoise"> & { readonly alpha: Ends };

/** An edit of the strip. */
type Knot = Moved & { readonly keep: number };

/** Share of the strip that is plain sampling. */
export const plainAt = 1 / 8;

/** Edits of the strip in the order of their `keep`. Between two of them, all settings move evenly. */
function knotsOf({ alpha, selfSteps, crossSteps, blendBelow }: EditSettings): Knot[] {
  const none: Ends = [0, 0];
  const plain: Knot = { keep: plainAt, alpha: none, selfSteps: none, crossSteps: none, blendBelow: 0, newNoise: 0 };
  const renewed: Knot = { ...plain, keep: 0, newNoise: 0.5 };
  const usual: Knot = { ...plain, keep: 1 / 2, alpha: endsOf(alpha), selfSteps, crossSteps, blendBelow };
  const rigid: Knot = { ...usual, keep: 1, alpha: [1, 1], selfSteps: [0, 0.8] };
  return [renewed, plain, usual, rigid];
}

/**
 * BARET's strip, from "as the prompt" (0) to "as the photo" (1). It goes along the paper's figures 9 and 10, in all settings at
 * once, and beyond them at both ends.
 *
 * keep 0: plain sampling from a start with new noise. 1/8: plain sampling. 1/2: the model's settings. 1: the transition is the
 * reconstruction, and self-attention is the photo's in most steps.
 */
export function stripOfBaret(keep: number, usual: EditSettings): Moved {
  const knots = knotsOf(usual);
  const at = Math.max(
    1,
    knots.findIndex((knot) => keep <= knot.keep),
  );
  const [a, b] = [knots[at - 1], knots[at]];
  const x = (keep - a.keep) / (b.keep - a.keep);
  const between = (p: number, q: number): number => p + (q - p) * x;
  const betweenEnds = (p: Ends, q: Ends): Ends => [between(p[0], q[0]), between(p[1], q[1])];
  return {
    alpha: betweenEnds(a.alpha, b.alpha),
    selfSteps: betweenEnds(a.selfSteps, b.selfSteps),
    crossSteps: betweenEnds(a.crossSteps, b.crossSteps),
    blendBelow: between(a.blendBelow, b.blendBelow),
    newNoise: between(a.newNoise, b.newNoise),
  };
}

/** Returns α at the first and at the last step. */
function endsOf(alpha: EditSettings["alpha"]): Ends {
  if (typeof alpha === "number") return [alpha, alpha];
  if (typeof alpha === "function") return [alpha(0, 2), alpha(1, 2)];
  return [alpha[0], alpha[alpha.length - 1]];
}
