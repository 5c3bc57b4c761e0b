import { phaseOf, shareDone } from "../stage/phases.ts";
import {
  cancelAll,
  cancelJob,
  failed,
  pictureUrl,
  queue,
  removeJob,
  type ShownJob,
  selectedId,
  selectJob,
} from "../state/index.ts";
import { counted } from "../view/words.ts";

const kinds = { edit: "", compare: "Comparison: ", sweep: "Sweep: ", attention: "Attention: " } as const;
const titleOf = ({ request }: ShownJob): string => `${kinds[request.kind]}${request.target}`;

/** One job of the queue. */
function Item({ job, action, onAction }: { job: ShownJob; action: string; onAction: () => void }) {
  const share = shareDone(job);
  const title = titleOf(job);
  return (
    <li class={`queue-item ${job.state}`} aria-current={job.id === selectedId.value}>
      <button type="button" class="bare queue-open" onClick={() => selectJob(job.id)}>
        <img src={pictureUrl(job.request.photo, 96)} alt="" width="40" height="40" />
        <span class="queue-text">
          <span class="queue-title">{title}</span>
          <small>
            {job.state === "failed" ? "Failed" : phaseOf(job)}
            {job.prepared?.reused && " · photo was prepared before"}
          </small>
        </span>
      </button>
      <button type="button" class="quiet" aria-label={`${action}: ${title}`} onClick={onAction}>
        {action}
      </button>
      {share !== undefined && <progress value={share} aria-label={`${phaseOf(job)}: ${title}`} />}
    </li>
  );
}

/** Jobs that wait or run, and those that failed until they are dismissed. */
export function Queue() {
  const [waiting, broken] = [queue.value, failed.value];
  if (waiting.length + broken.length === 0) return null;
  return (
    <section class="queue" aria-labelledby="queue-title">
      <div class="section-head">
        <h2 id="queue-title">
          Queue <small>{waiting.length > 0 && counted(waiting.length, "job")}</small>
        </h2>
        {waiting.length > 1 && (
          <button type="button" class="link" onClick={cancelAll}>
            Cancel all
          </button>
        )}
      </div>
      <ul>
        {waiting.map((job) => (
          <Item key={job.id} job={job} action="Cancel" onAction={() => cancelJob(job.id)} />
        ))}
        {broken.map((job) => (
          <Item key={job.id} job={job} action="Dismiss" onAction={() => removeJob(job.id)} />
        ))}
      </ul>
    </section>
  );
}
