import { hasEnded } from "../../../src/server/api/states.ts";
import { exampleUrl, takeExample } from "../edit/files.ts";
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

const Welcome = () => (
  <div class="welcome">
    <button type="button" class="bare" onClick={takeExample}>
      <img src={exampleUrl} alt="Example: a brown dog on the grass" width="256" height="256" />
    </button>
    <h2>Drop a photo anywhere, and say what it should show</h2>
    <p>Or begin with this one: choose a prompt, and press Ctrl+Enter.</p>
  </div>
);

function Shown() {
  const job = selectedJob.value;
  const photo = currentPhoto.value;
  if (job && !hasEnded(job.state)) {
    // A comparison and a sweep show their pictures as they are made.
    const isGrid = job.request.kind === "compare" || job.request.kind === "sweep";
    return (
      <>
        <Live job={job} hasMade={!isGrid} />
        {isGrid && <Result job={job} />}
      </>
    );
  }
  if (job?.state === "done") return <Result job={job} />;
  if (job) return <Failure job={job} />;
  if (missingJob.value) return <p class="problem">{missingJob.value}</p>;
  if (photo) return <img class="photo" src={photo.url} alt={`Photo: ${photo.name}`} />;
  return <Welcome />;
}
