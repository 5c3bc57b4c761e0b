import { z } from "zod";
import { CancelledError, listed, type Picture, throwIfCancelled, UsageError } from "../core/index.ts";
import type { Model } from "../diffusion/index.ts";
import { type Method, type PreparedStore, pictureHash, type Scorer } from "../editing/index.ts";
import type { DecodedPhoto } from "../image/index.ts";
import { type Clip, psnr } from "../metrics/index.ts";
import type { Caption } from "./captions.ts";
import type { ChosenOptions, ComparedEdit, CompareEvent, MadeEdit } from "./compare.ts";
import type { Costs } from "./cost.ts";
import { type EditTask, editTask, planEdit, planPhoto, recordOf, settingsOfTask } from "./edit.ts";
import { type Emit, stream, type TaskResult } from "./event.ts";
import { finishedPicture, type Photo, photoLike, type RunBlocking } from "./photo.ts";
import type { EditRecord, Maker } from "./record.ts";
import { clipScorer } from "./scorer.ts";

/** One photo and one target prompt, with a planned edit for each method. */
export interface Comparison {
  readonly photo: Photo;
  readonly target: string;
  readonly tasks: readonly EditTask[];
}

/** Input of planning a comparison. Methods that use no caption do not get it. */
export interface ComparisonInput extends Caption {
  readonly model: Model;
  readonly maker: Maker;
  readonly photo: Photo;
  readonly target: string;
  readonly methods: readonly { readonly method: Method; readonly options: ChosenOptions }[];
  /** As in PhotoTask. */
  readonly estimates?: boolean;
  /** Shared by all methods. Default: none. */
  readonly store?: PreparedStore;
}

/** Plans the edit of each method. Throws one UsageError that lists the problems of all methods. */
export async function planComparison(
  { model, maker, photo, source: caption, warnings, target, methods, estimates, store }: ComparisonInput,
  signal?: AbortSignal,
): Promise<Comparison> {
  const tasks: EditTask[] = [];
  const problems: string[] = [];
  for (const { method, options } of methods) {
    const { preset, prepare, edit } = options;
    const source = method.needs.caption === "unused" ? undefined : caption;
    const facts = {
      method,
      model,
      store,
      source: photo.name,
      photo,
      estimates,
      warnings: source === undefined ? [] : warnings,
    };
    try {
      const task = await planPhoto(facts, { target, source, preset, options: prepare }, { signal });
      tasks.push(await planEdit(task, maker, edit, true));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const [first, ...lines] = error.message.replace(/\.$/, "").split("\n");
      problems.push(first.includes(method.name) ? first : `${method.name}: ${first}`, ...lines);
    }
  }
  if (problems.length > 0) throw new UsageError(`the edits cannot be planned\n${listed(problems)}`);
  return { photo, target, tasks };
}

/** A picture in a file of an earlier run. */
export interface WrittenPicture {
  readonly record: EditRecord;
  /** Returns undefined if the file is damaged. */
  decode(): Promise<Pick<DecodedPhoto, "picture" | "alpha"> | undefined>;
}

export interface CompareWork {
  readonly signal?: AbortSignal;
  /** Scores the edits with the target prompt. */
  readonly clip?: Clip;
  /** Returns the picture that an earlier run has written for a task, if there is one. If it is that of the task, it is not made again. */
  readonly written?: (task: EditTask) => Promise<WrittenPicture | undefined>;
  readonly runBlocking?: RunBlocking;
}

/**
 * Edits one photo with each method in turn. What methods have in common is computed once: the VAE's passes, embeddings, equal
 * DDIM inversions, programs of the U-Net. A method that fails does not end the others.
 */
export const compareTask = (
  { photo, target, tasks }: Comparison,
  { clip, written, runBlocking, signal }: CompareWork = {},
): AsyncGenerator<CompareEvent, void> =>
  stream<CompareEvent>(async (emit, signal) => {
    const similarityOf = async (picture: Picture): Promise<Pick<MadeEdit, "psnr" | "clipScore">> => {
      const [scored] = clip ? await clip.score([picture], [target], { signal }) : [];
      return { psnr: psnr(picture, photoLike(photo, picture)), ...(scored && { clipScore: scored.score }) };
    };
    const edits: ComparedEdit[] = [];
    for (const [index, task] of tasks.entries()) {
      throwIfCancelled(signal, "the comparison");
      const method = task.method.name;
      emit({ type: "method", method, index, count: tasks.length });
      const settings = settingsOfTask(task, task.edit);
      try {
        const known = written && (await madeBefore(task, await written(task)));
        const made = known ?? (await makeEdit(task, emit, clip && clipScorer(clip, target), runBlocking, signal));
        edits.push({ method, ...made, ...(await similarityOf(made.picture)), isReused: known !== undefined });
      } catch (error) {
        if (error instanceof CancelledError || signal.aborted || !(error instanceof Error)) throw error;
        edits.push({ method, settings, error });
      }
      emit({ type: "compared", edit: edits[index] });
    }
    emit({ type: "done", edits });
  }, signal);

type Made = Pick<MadeEdit, "record" | "picture" | "alpha" | "costs" | "estimate">;

async function makeEdit(
  task: EditTask,
  emit: Emit<CompareEvent>,
  scorer: Scorer | undefined,
  runBlocking: RunBlocking | undefined,
  signal: AbortSignal,
): Promise<Made> {
  let result: TaskResult | undefined;
  for await (const event of editTask(task, { scorer, signal })) {
    if (event.type === "done") result = event.result;
    else if (event.type !== "preview" && event.type !== "picture") emit(event);
  }
  const { images, costs: measured, record, estimate } = result!;
  const costs = { prepare: measured.prepare, edit: measured.edit! };
  const finished = await finishedPicture(task.photo!, images.edit, runBlocking);
  const { settings, strength } = record;
  const planned = recordOfEdit(task);
  // The planned settings tell a later run that this is its picture; the chosen ones make it again.
  const chosen = strength && { settings, strength, planned: planned.settings };
  return { ...finished, costs, ...(estimate && { estimate }), record: { ...planned, ...chosen, costs } };
}

/** Returns the record of a task's picture without its costs. It serves `baret edit --like` too. */
const recordOfEdit = (task: EditTask): EditRecord => {
  const record = recordOf(task, "edit", settingsOfTask(task, task.edit));
  // If the edit is put back into the photo, the picture shows more of the photo than was edited.
  return { ...record, image: "edit", photo: { ...record.photo!, full: pictureHash(task.photo!.full) } };
};

const cost = z.object({ seconds: z.number(), evaluations: z.number(), gradients: z.number() });
const costsSchema = z.object({ prepare: cost, edit: cost });

/** Returns everything in a record that the picture depends on, as text. */
function identityOf({ version, model, engine, photo, settings, planned = settings, image }: EditRecord): string {
  return JSON.stringify([version, model.sha256, engine, photo?.sha256, photo?.full, image, planned]);
}

/** Returns the picture of a task that an earlier run has written. Returns undefined if it has another record. */
async function madeBefore(task: EditTask, found: WrittenPicture | undefined): Promise<Made | undefined> {
  // JSON has no undefined values and no infinities.
  const wanted = JSON.parse(JSON.stringify(recordOfEdit(task))) as EditRecord;
  const costs: Costs | undefined = costsSchema.safeParse(found?.record.costs).data;
  if (!found || !costs || identityOf(found.record) !== identityOf(wanted)) return undefined;
  const read = await found.decode();
  return read && { picture: read.picture, alpha: read.alpha, costs, record: found.record };
}
