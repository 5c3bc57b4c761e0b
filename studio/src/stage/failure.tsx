import type { ShownJob } from "../state/index.ts";

/** Shows why a job has no result. */
export const Failure = ({ job }: { job: ShownJob }) => <p>{job.error?.message ?? job.state}</p>;
