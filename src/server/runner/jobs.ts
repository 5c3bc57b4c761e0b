import { batchOf } from "../../diffusion/index.ts";
import { observedPicture, requireAttention } from "../../editing/index.ts";
import { atLeastWide, heatMap } from "../../image/index.ts";
import { psnr } from "../../metrics/index.ts";
import {
  attentionTask,
  type Cost,
  type Costs,
  editTask,
  finishedPicture,
  photoLike,
  planEdit,
  planPhoto,
  recordOf,
  splitOptions,
  sweepPointsOf,
  sweepTask,
  type TaskResult,
} from "../../tasks/index.ts";
import type { AttentionRequest, EditRequest, SweepRequest } from "../api/index.ts";
import { requestedMethod } from "../pictureOptions.ts";
import { followTask } from "./follow.ts";
import type { MadeFile, RunnerResult } from "./result.ts";
import {
  finite,
  type JobWork,
  openJob,
  qualityOf,
  requestValues,
  requirePicture,
  warningOf,
  withSteps,
  writeMade,
} from "./work.ts";

/** Returns the task of a request for one method, with its photo's steps in a file. */
async function openTask<R extends EditRequest | SweepRequest | AttentionRequest>(work: JobWork<R>) {
  const { model, request, signal } = work;
  const { method: name, preset, options: given, target } = request;
  const method = requestedMethod(name);
  const options = splitOptions(method, given);
  const { photo, maker, source, warnings } = await openJob(work, [method]);
  const facts = { method, model, source: photo.name, photo, warnings };
  const input = { target, source, preset, options: options.prepare };
  const planned = await planPhoto(facts, input, { signal });
  return { method, photo, maker, planned, given: options.edit };
}

const plainCost = ({ seconds, evaluations, gradients }: Cost): Cost => ({ seconds, evaluations, gradients });

export const plainCosts = ({ prepare, edit }: Costs): Costs => ({
  prepare: plainCost(prepare),
  edit: plainCost(edit),
});

/** Facts of a result that all kinds of jobs of one method share. */
const sharedFacts = ({ record, quality, warnings }: TaskResult, isReused: boolean, began: number) => ({
  settings: requestValues(record.settings),
  quality: qualityOf(quality),
  reusedPreparation: isReused,
  warnings: warnings.map(warningOf),
  seconds: (performance.now() - began) / 1000,
});

/** Makes one edit. */
export async function runEdit(work: JobWork<EditRequest>): Promise<RunnerResult> {
  const began = performance.now();
  const { images, strip: wholeStrip, previews } = work.request;
  const { method, photo, maker, planned, given } = await openTask(work);
  for (const name of images) requirePicture(method, name);
  const { task, isReused } = await withSteps(await planEdit(planned, maker, given, true), work);
  const events = editTask(task, { images, previews, wholeStrip, signal: work.signal });
  const result = await followTask(work, events, isReused);
  const { record, costs, strip } = result;
  const settings = requestValues(record.settings);
  const pictures: MadeFile[] = [];
  for (const name of new Set(images)) {
    const finished = await finishedPicture(photo, result.images[name]);
    const facts = {
      name,
      settings,
      costs: plainCosts({ prepare: costs.prepare, edit: costs.edit! }),
      psnr: finite(psnr(finished.picture, photoLike(photo, finished.picture))),
    };
    const made = await writeMade(work, pictures.length, finished, { ...record, image: name }, facts);
    pictures.push(made);
    work.emit({ type: "picture", made });
  }
  const strips: MadeFile[] = [];
  for (const { keep, match, picture, settings: own } of wholeStrip ? (strip ?? []) : []) {
    const finished = await finishedPicture(photo, picture);
    const facts = { name: `keep ${keep}`, settings: requestValues(own), keep, match };
    const { strength: _, ...withoutChoice } = record;
    const ownRecord = { ...withoutChoice, settings: own, image: "edit" };
    strips.push(await writeMade(work, pictures.length + strips.length, finished, ownRecord, facts));
  }
  return {
    ...sharedFacts(result, isReused, began),
    pictures,
    ...(strips.length > 0 && { strip: strips }),
    ...(record.strength && { strength: { ...record.strength } }),
  };
}

/** Edits a photo with every combination of the values of some options. */
export async function runSweep(work: JobWork<SweepRequest>): Promise<RunnerResult> {
  const began = performance.now();
  const { method, maker, planned, given } = await openTask(work);
  const { points, columns } = sweepPointsOf(method, work.model, work.request.axes);
  const edits = await Promise.all(points.map((point) => planEdit(planned, maker, { ...given, ...point })));
  const warnings = new Map(edits.flatMap((one) => (one.warnings ?? []).map((warning) => [warning.message, warning])));
  const { task, isReused } = await withSteps({ ...planned, maker, warnings: [...warnings.values()] }, work);
  const pictures: MadeFile[] = [];
  const events = sweepTask(
    task,
    edits.map(({ edit }) => edit),
    { atOnce: batchOf(work.model, 6), signal: work.signal },
  );
  const result = await followTask(work, events, isReused, async ({ index, picture, settings }) => {
    const record = { ...recordOf(task, "edit", settings), image: "edit" };
    const facts = { name: `${index}`, settings: requestValues(settings) };
    const made = await writeMade(work, index, { picture }, record, facts);
    pictures.push(made);
    work.emit({ type: "picture", made });
  });
  return { ...sharedFacts(result, isReused, began), pictures, columns };
}

/** Smallest width of a map of attention, so that it can be read. */
const mapWidth = 256;

/** Makes a heat map of the attention to each word of the prompt. */
export async function runAttention(work: JobWork<AttentionRequest>): Promise<RunnerResult> {
  const began = performance.now();
  const { method, photo, maker, planned, given } = await openTask(work);
  const { task, isReused } = await withSteps(await planEdit(planned, maker, given), work);
  const of = observedPicture(method, work.request.of);
  requireAttention(method, work.model, task.plan, { of });
  const result = await followTask(work, attentionTask(task, { of }, { signal: work.signal }), isReused);
  const { words, picture } = result.attention!;
  const under = atLeastWide(of === method.photoPicture ? photo.picture : picture, mapWidth);
  const settings = requestValues(result.record.settings);
  const pictures: MadeFile[] = [];
  for (const [k, { word, map, max }] of words.entries()) {
    const min = map.data.reduce((least, value) => Math.min(least, value), max);
    const heat = heatMap(under, map, [min, max]);
    const made = await writeMade(work, k, { picture: heat }, { ...result.record, word }, { name: word, settings });
    pictures.push(made);
    work.emit({ type: "picture", made });
  }
  return { ...sharedFacts(result, isReused, began), pictures };
}
