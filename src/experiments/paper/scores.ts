import { ratingBlocks } from "../rating/index.ts";
import { figureLine } from "../report/figureParts.ts";
import type { Series } from "../report/report.ts";
import type { View } from "../run/view.ts";
import {
  agreementOf,
  allEdits,
  type Claim,
  claimsText,
  type Experiment,
  type Findings,
  type Plan,
  variantOf,
} from "./experiment.ts";
import { editMeasures, likeness, pieMeasures, promptScore, truthMeasures, valuesOf } from "./measures.ts";
import { differences, differenceTable, groupsOf, groupTable, measureTable, metricTable } from "./tables.ts";

/** Returns the measures of figure 8: likeness to the photo, and to the prompt. */
const both = (view: Pick<View, "firstOf">) =>
  [likeness(view), promptScore(view)].filter((measure) => measure !== undefined);

const needsBoth = "it needs a distance to the photo (LPIPS or a judge) and a CLIPScore (CLIP or a judge)";

/** Returns a point for each method: likeness to the photo and to the prompt. */
function scatter(plan: Plan, view: View): Series[] {
  const [photo, prompt] = both(view);
  return plan.variants.flatMap((variant): Series[] => {
    const outcomes = view.outcomes(variant, plan.casesOf(variant));
    const x = photo.figure(valuesOf(photo, outcomes)).value;
    const { value: y, low, high, n } = prompt.figure(valuesOf(prompt, outcomes));
    if (x === undefined || y === undefined) return [];
    return [{ name: variant.name, method: variant.name, points: [{ x, y, low, high, n, label: variant.name }] }];
  });
}

export const fig8: Experiment = {
  name: "fig8",
  title: "Figure 8: likeness to the photo and to the prompt",
  paper:
    "Over 100 pairs of its own, 1 − LPIPS and CLIPScore are 0.764 and 0.729 for BARET, 0.766 and 0.681 for null-text inversion, " +
    "0.619 and 0.70 for SINE. So BARET follows the prompt best and keeps as much as null-text inversion. People rate BARET " +
    "3.77 of 5, null-text inversion 2.93, SINE 2.42, MasaCtrl 2.31, SDEdit 1.93; `baret experiments rate` asks people.",
  lacks: (_, view) => (both(view).length < 2 ? needsBoth : undefined),
  jobs: allEdits,
  findings(plan, view, ratings) {
    const [photo, prompt] = both(view);
    const baret = variantOf(plan, "baret");
    const against = (method: string, measure: typeof photo) => {
      const other = variantOf(plan, method);
      return baret && other && differences(plan, view, measure, baret, other);
    };
    const claims: readonly Claim[] = [
      ["BARET's score is above null-text inversion's", against("null-text", prompt)],
      ["it is above SINE's", against("sine", prompt)],
      ["BARET's likeness to the photo is above SINE's", against("sine", photo)],
    ];
    // That two likenesses are equal is no claim that an interval can show.
    const keeps = against("null-text", photo);
    const kept = `BARET's likeness to the photo minus null-text inversion's: ${keeps ? figureLine(keeps) : "not measured"}`;
    return {
      measured: `${claimsText(claims)}; ${kept}`,
      agreement: agreementOf(claims),
      blocks: [
        measureTable("Means with 95 % bootstrap intervals over the cases", plan, view, editMeasures(view)),
        ...differenceTable(plan, view, editMeasures(view)),
        {
          type: "chart",
          caption: "Likeness to the photo against likeness to the prompt: right and up is better",
          mark: "scatter",
          x: { label: photo.name },
          y: { label: prompt.name },
          series: scatter(plan, view),
        },
        ...metricTable(plan, view, editMeasures(view)),
        ...(ratings ? ratingBlocks(ratings) : []),
      ],
    };
  },
};

/** Returns the finding about BARET's likeness to the truth, compared with plain sampling. */
function truthText(plan: Plan, view: View): Pick<Findings, "measured" | "agreement"> {
  const [baret, plain] = [variantOf(plan, "baret"), variantOf(plan, "plain")];
  if (!baret || !plain) return { measured: "BARET or plain sampling is missing.", agreement: "no claim tested" };
  const said = truthMeasures(view).map((measure) => {
    const figure = differences(plan, view, measure, baret, plain);
    return `${measure.name}: ${figureLine(figure)}`;
  });
  return { measured: `BARET minus plain sampling: ${said.join("; ")}`, agreement: "no claim tested" };
}

export const truth: Experiment = {
  name: "truth",
  title: "Edits whose true result is known",
  paper: "No paper has this table: a photo's true edit is unknown. The Menagerie renders it.",
  lacks: ({ cases }) =>
    cases.some(({ has }) => has.includes("truth")) ? undefined : "it needs cases whose true result is known",
  jobs: allEdits,
  findings(plan, view) {
    const measures = truthMeasures(view);
    return {
      ...truthText(plan, view),
      blocks: [
        measureTable("All methods, with the settings of the run", plan, view, measures),
        ...differenceTable(plan, view, measures),
        ...measures.map((measure) => groupTable(plan, view, measure, groupsOf(plan.cases))),
      ],
    };
  },
};

export const pie: Experiment = {
  name: "pie",
  title: "PIE-Bench",
  paper: "The paper has no such table. It is the usual one for edits of photos, with PIE-Bench's own averaging.",
  lacks({ cases }, view) {
    const needed = [
      ...(cases.some(({ has }) => has.includes("kept")) ? [] : ["cases with masks"]),
      ...(pieMeasures(view).some(({ metric }) => metric.includes("clip")) ? [] : ["PIE-Bench's CLIP"]),
    ];
    return needed.length === 0 ? undefined : `it needs ${needed.join(" and ")}`;
  },
  jobs: allEdits,
  findings(plan, view) {
    const measures = pieMeasures(view);
    return {
      measured: `${plan.cases.length} cases, ${plan.variants.length} methods.`,
      agreement: "no claim tested",
      blocks: [
        measureTable("Means over the cases that have a value", plan, view, measures),
        ...measures.map((measure) => groupTable(plan, view, measure, groupsOf(plan.cases))),
      ],
    };
  },
};

export const tedbench: Experiment = {
  name: "tedbench",
  title: "Photos without a known result",
  paper: "The paper refers to TEdBench and uses 100 pairs of its own that it does not publish.",
  lacks(plan, view) {
    if (plan.cases.every(({ has }) => has.includes("truth"))) return "it is for cases whose true result is not known";
    return both(view).length < 2 ? needsBoth : undefined;
  },
  jobs: allEdits,
  findings: (plan, view) => ({
    measured: `${plan.cases.length} cases, ${plan.variants.length} methods.`,
    agreement: "no claim tested",
    blocks: [
      measureTable("Means with 95 % bootstrap intervals over the cases", plan, view, editMeasures(view)),
      ...differenceTable(plan, view, editMeasures(view)),
      ...metricTable(plan, view, editMeasures(view)),
    ],
  }),
};
