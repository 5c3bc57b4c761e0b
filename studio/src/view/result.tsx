import { backend, type ShownJob } from "../state/index.ts";

/** Shows the result of a job. */
export const Result = ({ job }: { job: ShownJob }) => (
  <div class="result">
    {job.result?.pictures.map(({ name, picture }) => (
      <img key={name} src={backend().pictureUrl(picture.id)} alt={`${name}: ${job.request.target}`} />
    ))}
  </div>
);
