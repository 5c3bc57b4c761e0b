// Experiments: outcomes of edits whose true result is known, and their report.
// Uses: every layer above it. Running them is in node/.
// Does not know: servers, terminals.
export type { Edited, Nearness, Outcome } from "./outcome.ts";
export { qualityReport } from "./report.ts";
