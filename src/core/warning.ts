/** A fact that the user should know, though the work goes on. */
export interface Warning {
  /** Kind of the warning, for programs: "unused-weights". */
  readonly code: string;
  /** One or two sentences: where, what, and what can be done if anything can. */
  readonly message: string;
  /** The same facts as values; lists are bounded. */
  readonly details: Readonly<Record<string, unknown>>;
}
