import type { JobResult, JobWarning, MadePicture } from "../../../src/server/api/index.ts";
import { capabilities, type ShownJob } from "../state/index.ts";
import { start } from "./actions.ts";
import { editOf } from "./edits.ts";
import { methodNamed, optionNamed, valueText } from "./settings.ts";
import { closeness, decibels, duration, spaced } from "./words.ts";

/** Says how well the photo was reproduced, which bounds how well an edit can keep it. */
export function qualityText({ quality = {} }: Pick<JobResult, "quality">): string | undefined {
  const { inversion, vae, photo } = quality;
  const best = vae === undefined ? "" : `, of at most ${decibels(vae)} with this model`;
  if (photo !== undefined) return `The photo is reproduced ${closeness(photo)}: ${decibels(photo)}${best}.`;
  if (inversion !== undefined)
    return `The inversion reproduces the photo ${closeness(inversion)}: ${decibels(inversion)}.`;
  return vae === undefined ? undefined : `The model alone reproduces the photo ${closeness(vae)}: ${decibels(vae)}.`;
}

/** Says what one picture took. */
export function costText({ costs }: Pick<MadePicture, "costs">): string | undefined {
  if (!costs) return undefined;
  const { prepare, edit } = costs;
  const work = [
    `${(prepare.evaluations + edit.evaluations).toLocaleString("en")} predictions`,
    ...(prepare.gradients > 0 ? [`${prepare.gradients.toLocaleString("en")} gradients`] : []),
  ];
  return `Prepared in ${duration(prepare.seconds)}, edited in ${duration(edit.seconds)}: ${work.join(", ")} of the U-Net.`;
}

/** Facts of a result in one line. */
export function FactLine({ job }: { readonly job: ShownJob }) {
  const { request, result } = job;
  if (!result) return null;
  const method = request.kind === "compare" ? undefined : methodNamed(capabilities.value!, request.method);
  return (
    <p class="facts">
      {method && <span title={method.title}>{method.name}</span>}
      <span>{duration(result.seconds)}</span>
      {result.reusedPreparation && <span class="reused">photo was prepared before</span>}
      <time dateTime={job.created}>
        {new Date(job.created).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}
      </time>
    </p>
  );
}

interface WarningsProps {
  readonly job: ShownJob;
  readonly made?: MadePicture;
}

/** The warnings of a result. What can help is a button that makes the edit again with it. */
export function Warnings({ job, made }: WarningsProps) {
  const { warnings } = job.result!;
  if (warnings.length === 0) return null;
  return (
    <ul class="warnings" aria-label="Warnings">
      {warnings.map((warning) => (
        <li key={`${warning.method}: ${warning.message}`}>
          <p>
            {warning.method && <b>{warning.method}: </b>}
            {sentence(warning.message)}
          </p>
          <Remedies job={job} made={aboutOf(job, warning) ?? made} warning={warning} />
        </li>
      ))}
    </ul>
  );
}

/** The picture of a comparison that a warning is about. */
const aboutOf = ({ result }: ShownJob, { method }: JobWarning): MadePicture | undefined =>
  method === undefined ? undefined : result?.pictures.find(({ name }) => name === method);

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

function Remedies({ job, made, warning }: WarningsProps & { readonly warning: JobWarning }) {
  const remedies = Object.entries(warning.remedies ?? {});
  // A warning about the photo of a comparison is of no method.
  if (remedies.length === 0 || (job.request.kind === "compare" && !aboutOf(job, warning))) return null;
  const request = editOf(job.request, made, job.result?.pictures);
  const method = methodNamed(capabilities.value!, request.method);
  return (
    <p class="row">
      {remedies.map(([name, value]) => (
        <button
          key={name}
          type="button"
          onClick={() => start(job.id, { ...request, options: { ...request.options, [name]: value } })}
        >
          Try with {spaced(name)} {valueText(optionNamed(method, name), value)}
        </button>
      ))}
    </p>
  );
}
