import type { MadePicture } from "../../../src/server/api/index.ts";
import { Strip } from "../stage/strip.tsx";
import { stripPoints } from "../stage/stripPoints.ts";
import { capabilities, jobs, type ShownJob } from "../state/index.ts";
import { Attention } from "./attention.tsx";
import { Comparison } from "./comparison.tsx";
import { FactLine } from "./facts.tsx";
import { PictureNotes } from "./notes.tsx";
import { pairOf } from "./pair.ts";
import { PairChooser } from "./pairChooser.tsx";
import { Problem } from "./problem.tsx";
import { methodNamed } from "./settings.ts";
import { shownMade, shownPhoto } from "./shown.ts";
import { Sweep } from "./sweep.tsx";
import { Viewer } from "./viewer.tsx";
import { capital } from "./words.ts";

interface Props {
  readonly job: ShownJob;
}

/** Shows the result of a job, or the finished pictures of a comparison or a sweep that still runs, below its progress. */
export function Result({ job }: Props) {
  if (!capabilities.value) return null;
  return (
    <article class="result" key={job.id}>
      {job.result && (
        <header>
          <h2>{job.request.target}</h2>
          <FactLine job={job} />
        </header>
      )}
      <Kind job={job} />
      <Problem id={job.id} />
    </article>
  );
}

function Kind({ job }: Props) {
  switch (job.request.kind) {
    case "edit":
      return <Edit job={job} />;
    case "compare":
      return <Comparison job={job} request={job.request} />;
    case "sweep":
      return <Sweep job={job} request={job.request} />;
    case "attention":
      return <Attention job={job} request={job.request} />;
  }
}

/** Returns the words of a picture of an edit: those of its method. */
function labelOf(job: ShownJob, { name, keep }: MadePicture): string {
  if (keep !== undefined) return `Keep ${keep}`;
  const method = job.request.kind === "edit" ? methodNamed(capabilities.value!, job.request.method) : undefined;
  return capital(method?.pictures[name] ?? name);
}

/** Shows an edit beside its photo, and the method's other pictures. */
function Edit({ job }: Props) {
  const { pictures } = job.result!;
  const points = stripPoints(job, jobs.value.values());
  const all = [...pictures, ...points.map(({ made }) => made)];
  const first = pictures.find(({ name }) => name === "edit") ?? pictures[0];
  const pair = pairOf(job.id, first.name);
  const made = all.find(({ name }) => name === pair.right) ?? first;
  const photo = shownPhoto(job.request);
  const options = [photo, ...pictures.map((one) => shownMade(one, labelOf(job, one)))];
  const right = shownMade(made, labelOf(job, made));
  const left = options.find(({ key }) => key === pair.left) ?? photo;
  return (
    <>
      <Viewer left={left} right={right} size={made.picture} />
      <Strip job={job} points={points} shown={made} />
      {pictures.length > 1 && <PairChooser id={job.id} options={options} left={left.key} right={right.key} />}
      <PictureNotes job={job} made={made} />
    </>
  );
}
