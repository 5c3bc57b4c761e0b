import { row } from "../../../core/index.ts";
import { guidedBy, type Process } from "../../lockstep/index.ts";
import type { EditJob, ResolveFacts, Sampling } from "../../method.ts";
import { promptToPrompt, resolvePromptToPrompt } from "../../promptToPrompt/index.ts";
import type { TunedTensor } from "../../tuneEachStep.ts";
import type { EditSettings, PrepareSettings } from "./options.ts";

export type Role = "reconstruction" | "initial" | "edit";

/** Resolves Prompt-to-Prompt, and the guidance of the edit. */
export const resolveNullText = (settings: EditSettings, facts: ResolveFacts<PrepareSettings>): EditSettings => ({
  ...resolvePromptToPrompt(settings, facts),
  editGuidance: settings.editGuidance ?? facts.prepared.settings.guidance,
});

/**
 * The processes of an edit, all from z*_0 and with the tuned ∅_i at step i: the reconstruction with the caption, the target
 * without the reconstruction's attention, and with it.
 */
export function editNullText(
  job: EditJob<PrepareSettings, TunedTensor>,
  settings: EditSettings,
  key: string,
): Sampling<Role> {
  const { prepared, embeddings } = job;
  const { source, target } = embeddings;
  const { tensors, settings: prepare } = prepared;
  const guidance = settings.editGuidance ?? prepare.guidance;
  const start = row(tensors.inverted, 0);
  const empty = Array.from({ length: prepare.steps }, (_, i) => row(tensors.embeddings, i));
  const reconstruction: Process = {
    name: `reconstruction, guidance ${guidance}`,
    start,
    known: guidance === prepare.guidance ? tensors.reconstruction : undefined,
    terms: (i) => guidedBy(guidance, source, empty[i]),
  };
  const initial: Process = {
    name: `initial, guidance ${guidance}`,
    start,
    terms: (i) => guidedBy(guidance, target, empty[i]),
  };
  const branches = { source: reconstruction.name, edit: `edit${key}` };
  const { attention, ...controlled } = promptToPrompt(job, settings, branches);
  const edit: Process = { ...initial, name: branches.edit, attention };
  return {
    processes: [reconstruction, initial, edit],
    pictures: { reconstruction: reconstruction.name, initial: initial.name, edit: edit.name },
    prompts: { reconstruction: prepared.source ?? "" },
    ...controlled,
  };
}
