/** A fact that the user should know although the work goes on. */
export interface Warning {
  /** Kind of the warning, for programs: "unused-weights". */
  readonly code: string;
  /** One or two sentences: where, what, and what to do if anything helps. No full stop at the end. */
  readonly message: string;
  /** The same facts as values; lists are bounded. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Options that can help, with values to try. */
  readonly remedies?: Readonly<Record<string, unknown>>;
}
