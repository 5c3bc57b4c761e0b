// `baret experiments`: the paper's tables and figures, their reports, and people's ratings.
// Knows of: experiments, models.
// Does not know of: other commands.
export { experimentsCommand } from "./run.ts";
