import type { Case } from "../cases/case.ts";
import type { RatingResults } from "../rating/index.ts";
import { figureLine } from "../report/figureParts.ts";
import { signOf } from "../report/figures.ts";
import type { Figure, Section } from "../report/report.ts";
import type { Job } from "../run/job.ts";
import type { Variant } from "../run/variant.ts";
import type { View } from "../run/view.ts";

/** The cases and the methods of a run. */
export interface Plan {
  readonly cases: readonly Case[];
  /** The methods, each with the settings of the run. Their names are those of the methods. */
  readonly variants: readonly Variant[];
  /** Returns the cases of a variant. A method may need a caption, and one that tunes weights edits fewer cases. */
  casesOf(variant: Variant): readonly Case[];
}

/** Findings of a run. */
export type Findings = Pick<Section, "measured" | "agreement" | "blocks">;

/** A table or a figure of the paper, or a table of ours. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** The paper's result, in our words. */
  readonly paper: string;
  /** Returns the reason why these cases and metrics do not suffice, if they do not. */
  lacks?(plan: Plan, view: Pick<View, "metrics" | "firstOf">): string | undefined;
  /** Returns what must be done. Equal jobs of several experiments are done once. */
  jobs(plan: Plan): readonly Job[];
  /** ratings: people's, if there are any. */
  findings(plan: Plan, view: View, ratings?: RatingResults): Findings;
}

/** Returns the edits of all variants. */
export const allEdits = ({ variants, casesOf }: Plan): Job[] =>
  variants.flatMap((variant) => casesOf(variant).map((one): Job => ({ type: "edit", case: one, variant })));

/** Returns the variant of a method, if the run has it. */
export const variantOf = ({ variants }: Plan, method: string): Variant | undefined =>
  variants.find(({ name }) => name === method);

/** Returns up to `count` cases of each kind, the first ones of each. */
export function firstOfKinds(cases: readonly Case[], count: number): Case[] {
  const seen = new Map<string, number>();
  return cases.filter(({ kind }) => {
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return before < count;
  });
}

/** Returns the first cases of non-rigid edits; if there are none, the first of all. */
export function nonRigid(cases: readonly Case[], most: number): Case[] {
  const poses = cases.filter(({ kind }) => kind === "pose");
  return (poses.length > 0 ? poses : cases).slice(0, most);
}

/** A claim of the paper, as a mean of paired differences that is above 0 if the claim holds. Undefined without such pairs. */
export type Claim = readonly [text: string, difference: Figure | undefined];

/** Tells if a claim holds. Undefined if the interval of its difference contains 0, or if there is none: too few pairs. */
function holds([, difference]: Claim): boolean | undefined {
  const sign = difference && signOf(difference);
  return sign === undefined || sign === 0 ? undefined : sign === 1;
}

function claimText(claim: Claim): string {
  const [text, difference] = claim;
  if (difference?.value === undefined) return `${text}: not measured`;
  const isTrue = holds(claim);
  const answer = isTrue === undefined ? "cannot be told" : isTrue ? "yes" : "no";
  return `${text}: ${answer}, difference ${figureLine(difference)}`;
}

/** Returns claims with what was measured: "BARET inverts faster: yes, difference 3.2 s (1.0 to 5.1, n = 12)". */
export const claimsText = (claims: readonly Claim[]): string => claims.map(claimText).join("; ");

/** Returns how many of some claims of the paper hold. */
export function agreementOf(claims: readonly Claim[]): Findings["agreement"] {
  const told = claims.map(holds).filter((claim) => claim !== undefined);
  if (told.length === 0) return "cannot be told";
  if (told.every(Boolean)) return told.length === claims.length ? "agrees" : "partly agrees";
  return told.some(Boolean) ? "partly agrees" : "differs";
}
