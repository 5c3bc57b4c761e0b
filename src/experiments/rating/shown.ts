import type { Mode } from "./answers.ts";

/** A question as the page gets it: nothing in it tells a method or a file. */
export interface ShownQuestion {
  readonly mode: Mode;
  /** Name of the question in the answer. */
  readonly id: string;
  readonly target: string;
  /** Names of the pictures. */
  readonly photo: string;
  readonly edits: readonly string[];
}

/** State of a rater in one mode. */
export interface ShownState {
  readonly done: number;
  readonly total: number;
  readonly canUndo: boolean;
  /** Absent if all questions are answered. */
  readonly question?: ShownQuestion;
}

/** Number of questions and of answers in each mode. */
export type Totals = Readonly<Record<Mode, { readonly done: number; readonly total: number }>>;

/** The page's answer if something is wrong. */
export interface ShownError {
  readonly error: { readonly code: string; readonly message: string };
}
