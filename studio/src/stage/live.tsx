import { cancelJob, pictureUrl, type ShownJob } from "../state/index.ts";
import { phaseOf, shareDone, timeLeft } from "./phases.ts";

/** Pictures of a job that are already finished. */
const Made = ({ job }: { job: ShownJob }) => (
  <ul class="made" aria-label="Finished pictures">
    {job.made?.map(({ name, picture }) => (
      <li key={name}>
        <img src={pictureUrl(picture.id, 160)} alt={name} />
      </li>
    ))}
  </ul>
);

/** Shows a job that waits or runs: the photo, a small preview of the edit, and how far it is. hasMade: finished pictures too. */
export function Live({ job, hasMade }: { job: ShownJob; hasMade: boolean }) {
  const share = shareDone(job);
  return (
    <div class="live">
      <h2 class="live-title">{job.request.target}</h2>
      <div class="live-picture">
        <img class="photo" src={pictureUrl(job.request.photo)} alt="Before the edit" />
        {job.preview && (
          <figure class="preview">
            <img src={job.preview} alt="The edit so far" />
            <figcaption>so far</figcaption>
          </figure>
        )}
      </div>
      <div class="live-bar">
        <progress value={share} aria-label={phaseOf(job)} />
        <p class="live-text">
          <span>
            {phaseOf(job)}
            {job.progress && share !== undefined && <small> {Math.floor(100 * share)} %</small>}
          </span>
          <small>{timeLeft(job)}</small>
        </p>
        <p class="live-text">
          <small>
            {job.prepared?.reused && <span class="badge">photo was prepared before</span>}
            {job.attempts > 1 && ` attempt ${job.attempts}: a worker stopped`}
          </small>
          <button type="button" aria-keyshortcuts="Escape" onClick={() => cancelJob(job.id)}>
            Cancel <kbd>Esc</kbd>
          </button>
        </p>
      </div>
      {hasMade && job.made && job.made.length > 0 && <Made job={job} />}
    </div>
  );
}
