import type { MadePicture } from "../../../src/server/api/index.ts";
import type { ShownJob } from "../state/index.ts";
import { CommandPanel } from "./commandPanel.tsx";
import { costText, qualityText, Warnings } from "./facts.tsx";
import { PictureActions } from "./pictureActions.tsx";
import { SettingsPanel } from "./settingsPanel.tsx";
import { SweepForm } from "./sweepForm.tsx";
import { decibels } from "./words.ts";

interface Props {
  readonly job: ShownJob;
  readonly made: MadePicture;
}

/** Facts, warnings, actions and settings of the picture on the stage. */
export function PictureNotes({ job, made }: Props) {
  const likeness = made.psnr === undefined ? undefined : `Likeness to the photo: ${decibels(made.psnr)}.`;
  const clip = made.clipScore === undefined ? undefined : `CLIP score with the prompt: ${made.clipScore.toFixed(2)}.`;
  const notes = [qualityText(job.result!), likeness, clip, costText(made)].filter(Boolean).join(" ");
  return (
    <div class="notes">
      <Warnings job={job} made={made} />
      {notes && <p class="note">{notes}</p>}
      <PictureActions job={job} made={made} />
      <SweepForm job={job} made={made} />
      <CommandPanel job={job} made={made} />
      <SettingsPanel job={job} made={made} />
    </div>
  );
}
