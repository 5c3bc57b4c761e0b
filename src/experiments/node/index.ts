// Runs experiments, and keeps their pictures and figures in a folder, so that a stopped one resumes.
// Uses: everything above, and Node.
// Does not know: servers, terminals.
export { type OpenCasesOptions, openCases } from "./cases/open.ts";
export { readRaters } from "./rating/raterFiles.ts";
export { type RatingServer, type ServeOptions, serveRating } from "./rating/serve.ts";
export { readStudy, writeStudy } from "./rating/study.ts";
export { readReport } from "./report/readReport.ts";
export { writeDiff } from "./report/writeDiff.ts";
export { type WrittenReport, writeReport } from "./report/writeReport.ts";
export { type OpenRun, openRun, type RunOptions } from "./run/experiments.ts";
export { measureStrips } from "./strips.ts";
