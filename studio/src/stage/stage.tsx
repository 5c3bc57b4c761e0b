import { hasEnded } from "../../../src/server/api/states.ts";
import { currentPhoto, selectedJob } from "../state/index.ts";
import { missingJob } from "../view/address.ts";
import { Result } from "../view/result.tsx";
import { Failure } from "./failure.tsx";
import { Live } from "./live.tsx";

/** Shows the selected job: its progress, its result or why it failed. Without one, the photo. */
export function Stage() {
  return (
    <section class="stage" aria-label="Result">
      <Shown />
    </section>
  );
}

function Shown() {
  const job = selectedJob.value;
  const photo = currentPhoto.value;
  if (job && !hasEnded(job.state)) {
    // A comparison and a sweep show their pictures as they are made.
    const isGrid = job.request.kind === "compare" || job.request.kind === "sweep";
    return (
      <>
        <Live job={job} />
        {isGrid && <Result job={job} />}
      </>
    );
  }
  if (job?.state === "done") return <Result job={job} />;
  if (job) return <Failure job={job} />;
  if (missingJob.value) return <p class="problem">{missingJob.value}</p>;
  if (photo) return <img class="photo" src={photo.url} alt={`Photo: ${photo.name}`} />;
  return <p class="hint">Choose a photo to begin.</p>;
}
