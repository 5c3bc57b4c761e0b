import type { MadePicture } from "../../../src/server/api/index.ts";
import { pictureUrl, type ShownJob } from "../state/index.ts";
import { start, useSettings } from "./actions.ts";
import { fileName } from "./archive.ts";
import { editOf } from "./edits.ts";

interface Props {
  readonly job: ShownJob;
  readonly made: MadePicture;
}

/** Buttons of a picture: save it, use its settings, look further into its edit. */
export function PictureActions({ job, made }: Props) {
  const { kind } = job.request;
  const edit = editOf(job.request, made, job.result?.pictures);
  const { photo, target, source, model, size, fit, method, preset, options } = edit;
  const common = { photo, target, source, model, size, fit };
  return (
    <p class="row">
      <a class="button" href={pictureUrl(made.picture.id)} download={fileName(job, made)}>
        Download PNG
      </a>
      <button type="button" onClick={() => useSettings(job.id, edit)}>
        Use these settings
      </button>
      {kind !== "compare" && (
        <button type="button" onClick={() => start(job.id, { kind: "compare", ...common })}>
          Compare all methods
        </button>
      )}
      {kind !== "attention" && (
        <button type="button" onClick={() => start(job.id, { kind: "attention", ...common, method, preset, options })}>
          Show where each word acts
        </button>
      )}
    </p>
  );
}
