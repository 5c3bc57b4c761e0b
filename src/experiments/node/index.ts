// Runs experiments, and keeps their pictures and figures in a folder, so that a stopped one resumes.
// Uses: everything above, and Node.
// Does not know: servers, terminals.
export { measure, type Options, type QualityOptions, sets } from "./pairs.ts";
