import type { Case } from "../cases/case.ts";
import { convergenceOf, failureRate, type LossPoint, lossCurve } from "../convergence/convergence.ts";
import { type OptimiserChoice, type TunedInversion, traceInversion, tunedInversions } from "../convergence/trace.ts";
import { meanFigure, shareFigure } from "../report/figures.ts";
import type { Block, Chart, Row, Series, Table } from "../report/report.ts";
import type { Job, Measurement, MeasurementInput } from "../run/job.ts";
import type { View } from "../run/view.ts";
import {
  agreementOf,
  type Claim,
  claimsText,
  type Experiment,
  type Findings,
  isBelow,
  type Plan,
  variantOf,
} from "./experiment.ts";

const inversions = Object.keys(tunedInversions) as TunedInversion[];

/** Largest numbers of iterations at each sampling step. 0 reproduces the photo without tuning. */
const budgets = [0, 1, 2, 3, 5, 10];
/** A reconstruction with a lower PSNR to the VAE's round trip has failed, in dB. It is what `baret edit` warns of. */
const poorReconstruction = 25;

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

/** Photos whose convergence is traced: a quarter of the cases, four at most. Optimisers are tried on half of them. */
const traced = (plan: Plan): Case[] => {
  const all = captioned(plan);
  return all.slice(0, Math.min(4, Math.ceil(all.length / 4)));
};
const tried = (plan: Plan): Case[] => traced(plan).slice(0, Math.ceil(traced(plan).length / 2));

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

/** Returns PSNR over iterations or over seconds, a line for each inversion and photo. */
const psnrChart = (found: Found, of: "iterations" | "seconds"): Chart => ({
  type: "chart",
  caption: `PSNR of the reconstruction to the VAE's round trip over ${of}, a line for each photo`,
  mark: "line",
  x: { label: of === "seconds" ? "seconds of tuning" : "iterations at all sampling steps" },
  y: { label: "PSNR, dB" },
  series: found.flatMap(({ name, data }) =>
    inversions.map((inversion): Series => {
      const own = data.reached.filter((one) => one.inversion === inversion);
      const points = own.map((one) => ({ x: one[of], y: one.psnr, label: `at most ${one.budget} a step` }));
      return { name: `${inversion}, ${name}`, method: methodOf(inversion), points };
    }),
  ),
});

const lossChart = (found: Found): Chart => ({
  type: "chart",
  caption: "Loss over iterations with the largest budget, on the first photo",
  mark: "line",
  x: { label: "iterations at all sampling steps" },
  y: { label: "loss", isLogarithmic: true },
  series: found.slice(0, 1).flatMap(({ data }) =>
    inversions.map((inversion): Series => {
      const points = data.losses[inversion].filter(({ loss }) => loss > 0);
      return {
        name: inversion,
        method: methodOf(inversion),
        points: points.map(({ iteration, loss }) => ({ x: iteration, y: loss })),
      };
    }),
  ),
});

const methodOf = (inversion: TunedInversion): string => tunedInversions[inversion].name;

/** Returns the reconstructions of all edits of a method, in dB. A reconstruction without a difference counts as 100. */
function reconstructions(plan: Plan, view: View, method: string): number[] {
  const variant = variantOf(plan, method);
  if (!variant) return [];
  return view.outcomes(variant, plan.casesOf(variant)).flatMap(({ edit }) => {
    const psnr = edit?.quality.inversion;
    return edit === undefined || psnr === undefined ? [] : [psnr ?? 100];
  });
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
        shareFigure(all.map((psnr) => (psnr < poorReconstruction ? 1 : 0))),
      ],
    };
  });
  return {
    type: "table",
    caption:
      "The traced photos with the model's settings and at most ten iterations a step, and the reconstructions of all edits of the " +
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

/** Returns the PSNR of an inversion with an optimiser, on each photo. */
const optimisedIn = (plan: Plan, view: View, optimiser: string, inversion: TunedInversion): number[] =>
  tried(plan).flatMap((one) => {
    const data = (view.measurement(one, explanation(plan))?.data ?? []) as readonly Optimised[];
    return data.filter((each) => each.optimiser === optimiser && each.inversion === inversion).map(({ psnr }) => psnr);
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

const mean = (values: readonly number[]): number | undefined => meanFigure(values, { digits: 0 }).value;

/** Returns the claims of the paper with what was measured. */
function claimsOf(plan: Plan, view: View, found: Found): readonly Claim[] {
  const [ours, theirs] = inversions.map((inversion) =>
    mean(found.flatMap(({ data }) => iterationsNeeded(data, inversion) ?? [])),
  );
  const psnrOf = (optimiser: string) =>
    inversions.map((inversion) => mean(optimisedIn(plan, view, optimiser, inversion)));
  const [descent, descentTheirs] = psnrOf("gradient descent");
  const rates = inversions.map((inversion) =>
    failureRate(
      reconstructions(plan, view, methodOf(inversion)).map((psnr) => ({ psnr })),
      poorReconstruction,
    ),
  );
  return [
    ["target-text inversion needs fewer iterations", isBelow(ours, theirs)],
    ["it fails more rarely", isBelow(rates[0], rates[1])],
    ["plain gradient descent, at equal rates, comes further with it", isBelow(descentTheirs, descent)],
  ];
}

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
      ...(found.length > 0 ? [psnrChart(found, "iterations"), psnrChart(found, "seconds"), lossChart(found)] : []),
      optimiserTable(plan, view),
    ];
    return {
      measured: claimsText(claims),
      agreement: agreementOf(claims.map(([, holds]) => holds)),
      blocks,
    };
  },
};
