import type { Case } from "../cases/case.ts";
import { convergenceOf, hasFailed, type LossPoint, lossCurve, poorReconstruction } from "../convergence/convergence.ts";
import { type OptimiserChoice, type TunedInversion, traceInversion, tunedInversions } from "../convergence/trace.ts";
import { differenceFigure, fewestForInterval, meanFigure, shareFigure } from "../report/figures.ts";
import type { Block, Chart, Row, Series, Table } from "../report/report.ts";
import type { Job, Measurement, MeasurementInput } from "../run/job.ts";
import type { Outcome, View } from "../run/view.ts";
import {
  agreementOf,
  type Claim,
  claimsText,
  type Experiment,
  type Findings,
  type Plan,
  variantOf,
} from "./experiment.ts";
import { percent } from "./measures.ts";
import { pairedOutcomes } from "./tables.ts";

const inversions = Object.keys(tunedInversions) as TunedInversion[];

/** Largest numbers of iterations at each sampling step. 0 reproduces the photo without tuning. */
const budgets = [0, 1, 2, 3, 5, 10];

/** Sampling steps of the run's inversions. Undefined: the model's. */
const stepsOf = (plan: Plan): number | undefined => variantOf(plan, "baret")?.prepare?.steps as number | undefined;

/** Result of an inversion with one budget. */
interface Reached {
  readonly inversion: TunedInversion;
  readonly budget: number;
  readonly iterations: number;
  readonly seconds: number;
  readonly psnr: number;
}

interface Convergence {
  readonly reached: readonly Reached[];
  /** Losses with the largest budget. */
  readonly losses: Readonly<Record<TunedInversion, readonly LossPoint[]>>;
}

/** Null-text inversion reproduces the photo with its caption, target-text inversion with the target prompt alone. */
const promptsFor = (inversion: TunedInversion, { case: { target, source } }: MeasurementInput) =>
  inversion === "target-text" ? { target } : { target, source };

const convergence = (plan: Plan): Measurement => ({
  name: "convergence",
  settings: [budgets, stepsOf(plan)],
  async measure(input, work) {
    const options = { budgets, steps: stepsOf(plan) };
    const reached: Reached[] = [];
    const losses: Partial<Record<TunedInversion, readonly LossPoint[]>> = {};
    for (const inversion of inversions) {
      const prompts = promptsFor(inversion, input);
      const traces = await convergenceOf(input.model, input.pictures.photo, prompts, inversion, options, work);
      reached.push(
        ...traces.map(({ budget, iterations, seconds, psnr }) => ({ inversion, budget, iterations, seconds, psnr })),
      );
      losses[inversion] = lossCurve(traces.at(-1)!);
    }
    return { data: { reached, losses }, pictures: {} };
  },
});

/** The optimisers that test the paper's explanation, each with the same rate for both inversions. */
const optimisers: readonly OptimiserChoice[] = [
  { name: "Adam", learningRate: 0.02 },
  { name: "gradient descent", learningRate: 30 },
];
const explained = { budget: 5, guidance: 7.5, earlyStop: false } as const;

/** PSNR of an inversion with an optimiser. */
interface Optimised {
  readonly optimiser: OptimiserChoice["name"];
  readonly inversion: TunedInversion;
  readonly psnr: number;
}

const explanation = (plan: Plan): Measurement => ({
  name: "optimisers",
  settings: [optimisers, explained, stepsOf(plan)],
  async measure(input, work) {
    const data: Optimised[] = [];
    for (const optimiser of optimisers) {
      for (const inversion of inversions) {
        const prompts = promptsFor(inversion, input);
        const options = { ...explained, optimiser, steps: stepsOf(plan) };
        const { psnr } = await traceInversion(input.model, input.pictures.photo, prompts, inversion, options, work);
        data.push({ optimiser: optimiser.name, inversion, psnr });
      }
    }
    return { data, pictures: {} };
  },
});

const captioned = ({ cases }: Plan): Case[] => cases.filter(({ source }) => source !== undefined);

/** Returns the first of the captioned cases: one in `share`, but no more than an interval needs. */
function some(plan: Plan, share: number): Case[] {
  const all = captioned(plan);
  return all.slice(0, Math.min(fewestForInterval, Math.ceil(all.length / share)));
}

/** Photos whose convergence is traced, and those on which optimisers are tried. */
const traced = (plan: Plan): Case[] => some(plan, 4);
const tried = (plan: Plan): Case[] => some(plan, 8);

/** Photos in the charts at most. */
const mostDrawn = 4;

/** Returns the photo, its convergence and its name. */
const foundIn = (plan: Plan, view: View): { readonly name: string; readonly data: Convergence }[] =>
  traced(plan).flatMap((one) => {
    const line = view.measurement(one, convergence(plan));
    return line ? [{ name: one.name, data: line.data as Convergence }] : [];
  });

type Found = ReturnType<typeof foundIn>;

/** Returns the fewest iterations with which an inversion comes within 1 dB of its best. */
function iterationsNeeded({ reached }: Convergence, inversion: TunedInversion): number | undefined {
  const own = reached.filter((one) => one.inversion === inversion);
  const best = Math.max(...own.map(({ psnr }) => psnr));
  const enough = own.filter(({ psnr }) => psnr >= best - 1).map(({ iterations }) => iterations);
  return enough.length === 0 ? undefined : Math.min(...enough);
}

const labels = { iterations: "iterations at all sampling steps", seconds: "seconds of tuning" } as const;

/** Returns PSNR over iterations or over seconds, a line for each inversion and photo. */
const psnrChart = (found: Found, of: "iterations" | "seconds"): Chart => ({
  type: "chart",
  caption: `PSNR of the reconstruction to the VAE's round trip over ${of}, a line for each of the first ${mostDrawn} photos`,
  mark: "line",
  x: { label: labels[of] },
  y: { label: "PSNR, dB" },
  series: found.slice(0, mostDrawn).flatMap(({ name, data }) =>
    inversions.map((inversion): Series => {
      const own = data.reached.filter((one) => one.inversion === inversion);
      const points = own.map((one) => ({ x: one[of], y: one.psnr, label: `at most ${one.budget} a step` }));
      return { name: `${inversion}, ${name}`, method: methodOf(inversion), points };
    }),
  ),
});

const lossChart = (found: Found, of: "iterations" | "seconds"): Chart => ({
  type: "chart",
  caption: `Loss over ${of} with the largest budget, on the first photo`,
  mark: "line",
  x: { label: labels[of] },
  y: { label: "loss", isLogarithmic: true },
  series: found.slice(0, 1).flatMap(({ data }) =>
    inversions.map((inversion): Series => {
      const points = data.losses[inversion].filter(({ loss }) => loss > 0);
      return {
        name: inversion,
        method: methodOf(inversion),
        points: points.map(({ iteration, seconds, loss }) => ({ x: of === "seconds" ? seconds : iteration, y: loss })),
      };
    }),
  ),
});

const methodOf = (inversion: TunedInversion): string => tunedInversions[inversion].name;

/** Returns the reconstruction of an edit, in dB. One without a difference counts as 100. */
function reconstruction({ edit }: Outcome): number | undefined {
  const psnr = edit?.quality.inversion;
  return edit === undefined || psnr === undefined ? undefined : (psnr ?? 100);
}

/** Tells if an inversion failed: 1 or 0. */
const failed = (psnr: number | undefined): number | undefined =>
  psnr === undefined ? undefined : Number(hasFailed(psnr));

function reconstructions(plan: Plan, view: View, method: string): (number | undefined)[] {
  const variant = variantOf(plan, method);
  return variant ? view.outcomes(variant, plan.casesOf(variant)).map(reconstruction) : [];
}

function inversionTable(plan: Plan, view: View, found: Found): Table {
  const rows = inversions.map((inversion): Row => {
    const last = found.flatMap(({ data }) => data.reached.filter((one) => one.inversion === inversion).at(-1) ?? []);
    const all = reconstructions(plan, view, methodOf(inversion));
    const mean = (values: readonly (number | undefined)[], digits: number, unit?: string) =>
      meanFigure(values, { digits, unit });
    return {
      method: methodOf(inversion),
      cells: [
        inversion,
        mean(
          found.map(({ data }) => iterationsNeeded(data, inversion)),
          0,
        ),
        mean(
          last.map(({ iterations }) => iterations),
          0,
        ),
        mean(
          last.map(({ seconds }) => seconds),
          1,
          "s",
        ),
        mean(
          last.map(({ psnr }) => psnr),
          1,
          "dB",
        ),
        mean(all, 1, "dB"),
        shareFigure(all.map(failed)),
      ],
    };
  });
  return {
    type: "table",
    caption:
      `The ${found.length} traced photos with the model's settings and at most ten iterations a step, and the reconstructions of all edits of the ` +
      `run. Failed: below ${poorReconstruction} dB to the VAE's round trip`,
    columns: [
      "inversion",
      "iterations to 1 dB below the best",
      "iterations",
      "seconds",
      "PSNR",
      "PSNR, all cases",
      "failed, all cases",
    ],
    rows,
  };
}

/** Returns the PSNR of an inversion with an optimiser, on each photo that was tried. */
const optimisedIn = (plan: Plan, view: View, optimiser: string, inversion: TunedInversion): (number | undefined)[] =>
  tried(plan).map((one) => {
    const data = (view.measurement(one, explanation(plan))?.data ?? []) as readonly Optimised[];
    return data.find((each) => each.optimiser === optimiser && each.inversion === inversion)?.psnr;
  });

function optimiserTable(plan: Plan, view: View): Table {
  const rows = optimisers.map(({ name, learningRate }): Row => {
    const figures = inversions.map((inversion) =>
      meanFigure(optimisedIn(plan, view, name, inversion), { digits: 1, unit: "dB" }),
    );
    return { cells: [`${name}, rate ${learningRate}`, ...figures] };
  });
  return {
    type: "table",
    caption:
      `The paper's explanation: the tuned prediction has the weight ${explained.guidance}, in null-text inversion ` +
      `${1 - explained.guidance}. PSNR with equal rates, ${explained.budget} iterations a step`,
    columns: ["optimiser", ...inversions],
    rows,
  };
}

/** Returns the claims of the paper, each over the photos that both inversions have. */
function claimsOf(plan: Plan, view: View, found: Found): readonly Claim[] {
  const needed = (inversion: TunedInversion) => found.map(({ data }) => iterationsNeeded(data, inversion));
  const descent = (inversion: TunedInversion) => optimisedIn(plan, view, "gradient descent", inversion);
  const [ours, theirs] = inversions.map((inversion) => variantOf(plan, methodOf(inversion)));
  const [own, others] =
    ours && theirs
      ? pairedOutcomes(plan, view, ours, theirs).map((outcomes) =>
          outcomes.map(reconstruction).map((psnr) => percent(failed(psnr))),
        )
      : [];
  return [
    [
      "target-text inversion needs fewer iterations",
      differenceFigure(needed("null-text"), needed("target-text"), { digits: 0 }),
    ],
    ["it fails more rarely", own && differenceFigure(others, own, { digits: 0, unit: "points" })],
    [
      "plain gradient descent, at equal rates, comes further with it",
      differenceFigure(descent("target-text"), descent("null-text"), { digits: 1, unit: "dB" }),
    ],
  ];
}

const charts = [psnrChart, lossChart];

export const fig7: Experiment = {
  name: "fig7",
  title: "Figure 7: how fast the inversions converge, and how often they fail",
  paper:
    "Target-text inversion converges in about 100 iterations (16 s), null-text inversion in about 400, because the tuned " +
    "prediction has the weight w = 7.5 instead of 1 − w = −6.5; null-text inversion sometimes fails to reproduce the photo.",
  lacks: (plan) => (captioned(plan).length > 0 ? undefined : "it needs cases with a caption of the photo"),
  jobs: (plan) => [
    ...traced(plan).map((one): Job => ({ type: "measurement", case: one, measurement: convergence(plan) })),
    ...tried(plan).map((one): Job => ({ type: "measurement", case: one, measurement: explanation(plan) })),
    ...inversions.flatMap((inversion) => {
      const variant = variantOf(plan, methodOf(inversion));
      return variant ? plan.casesOf(variant).map((one): Job => ({ type: "edit", case: one, variant })) : [];
    }),
  ],
  findings(plan, view): Findings {
    const found = foundIn(plan, view);
    const claims = claimsOf(plan, view, found);
    const blocks: Block[] = [
      inversionTable(plan, view, found),
      ...(found.length > 0 ? charts.flatMap((chart) => [chart(found, "iterations"), chart(found, "seconds")]) : []),
      optimiserTable(plan, view),
    ];
    return {
      measured: claimsText(claims),
      agreement: agreementOf(claims),
      blocks,
    };
  },
};
