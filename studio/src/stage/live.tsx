import type { ShownJob } from "../state/index.ts";

/** Shows a job that waits or runs. */
export const Live = ({ job }: { job: ShownJob }) => <p>{job.state}</p>;
