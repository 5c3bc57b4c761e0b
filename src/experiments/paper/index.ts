import { fig9, fig10 } from "./ablation.ts";
import { fig3 } from "./attention.ts";
import { fig7 } from "./convergence.ts";
import type { Experiment } from "./experiment.ts";
import { fig1, fig5, fig6 } from "./pictures.ts";
import { fig8, pie, tedbench, truth } from "./scores.ts";
import { table1 } from "./table1.ts";

/** All experiments, in the order of the report. */
export const experiments: readonly Experiment[] = [
  table1,
  fig1,
  fig3,
  fig5,
  fig6,
  fig7,
  fig8,
  fig9,
  fig10,
  truth,
  pie,
  tedbench,
];
