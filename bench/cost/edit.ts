/** One edit by this engine. */
import { type Picture, row } from "../../src/core/index.ts";
import type { Model } from "../../src/diffusion/index.ts";
import { edit, editWith, jobOf, planPrepared, prepareStored, resolvedSettings } from "../../src/editing/index.ts";
import { refinementMapper, replacementMapper } from "../../src/editing/promptToPrompt/index.ts";
import {
  type Costs,
  dryScorer,
  type Estimate,
  estimateTask,
  measured,
  openPhoto,
  type SettingValues,
} from "../../src/tasks/index.ts";
import { type Pair, render } from "../../src/world/index.ts";
import type { Case } from "./cases.ts";

/** Prompt-to-Prompt's map from the caption's tokens to the target's: matrix [L, L], matched [L]. */
export interface TokenMapper {
  readonly matrix: readonly (readonly number[])[];
  readonly matched: readonly number[];
}

export interface Edited extends Pick<Pair, "target" | "source"> {
  readonly method: string;
  readonly photo: Picture;
  readonly picture: Picture;
  readonly costs: Costs;
  /** Made before the edit. */
  readonly estimate: Estimate;
  readonly threads: number;
  /** Settings in effect. */
  readonly prepare: SettingValues;
  readonly edit: SettingValues;
  /** Of a method with Prompt-to-Prompt. */
  readonly mapper?: TokenMapper;
  /** Paths of MasaCtrl's layers with mutual self-attention. */
  readonly mutual?: readonly string[];
}

function mapperOf(model: Model, { mapping }: SettingValues, { source, target }: Pair): TokenMapper {
  const map = mapping === "replace" ? replacementMapper : refinementMapper;
  const { matrix, matched } = map(model.tokenize(source), model.tokenize(target));
  return { matrix: [...matched.data].map((_, i) => [...row(matrix, i).data]), matched: [...matched.data] };
}

/** Edits a pair. Only methods that need a caption get one, so the prompt of MasaCtrl's source branch is "". */
export async function makeEdit(model: Model, { method, prepare, edit: options }: Case, pair: Pair): Promise<Edited> {
  const { target, source } = pair;
  const photo = render(pair.before, model.editing.size.height);
  const input = { target, options: prepare, ...(method.needs.caption === "required" && { source }) };
  const plan = await planPrepared(method, model, photo, input);
  const settings: SettingValues = resolvedSettings(method, model, plan, options, { chooses: true });
  const task = { method, model, source: "the photo", photo: await openPhoto(model, photo), plan };
  const estimate = await estimateTask(task, (hollow, prepared) =>
    editWith(method, hollow, prepared, settings, { scorer: dryScorer }),
  );
  const prepared = await measured(model, () => prepareStored(method, model, photo, plan));
  const edited = await measured(model, () => edit(method, model, prepared.result, options));
  const { groups } = method.edit(await jobOf(method, model, prepared.result), edited.result.settings, "");
  return {
    target,
    source,
    method: method.name,
    photo,
    picture: edited.result.images.edit,
    costs: { prepare: prepared.cost, edit: edited.cost },
    estimate,
    threads: model.engine.threads,
    prepare: plan.settings,
    edit: settings,
    ...("mapping" in settings && { mapper: mapperOf(model, settings, pair) }),
    ...(method.name === "masactrl" && { mutual: groups?.[0].sites }),
  };
}

/** Loads the programs by a small edit the other way round, so that the timed one finds nothing of it. */
export async function warmUp(model: Model, what: Case, pair: Pair): Promise<void> {
  const { method, prepare } = what;
  const few = { steps: 4, embeddingSteps: 1, tuningSteps: 1, iterations: 1 };
  const known = Object.entries(few).filter(([name]) => name in method.prepareOptions.shape);
  const small = { ...what, prepare: { ...prepare, ...Object.fromEntries(known) } };
  await makeEdit(model, small, { ...pair, before: pair.after, target: pair.source, source: pair.target });
}
