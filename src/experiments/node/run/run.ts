import { join } from "node:path";
import { BaretError, CancelledError, StorageError, throwIfCancelled, UsageError } from "../../../core/index.ts";
import type { Model, Size } from "../../../diffusion/index.ts";
import { type Prepared, pictureHash } from "../../../editing/index.ts";
import type { Clip, Metric } from "../../../metrics/index.ts";
import { exists } from "../../../storage/node/index.ts";
import { type Emit, stream } from "../../../tasks/index.ts";
import type { Case, CasePictures } from "../../cases/case.ts";
import type { RunEvent } from "../../run/event.ts";
import type { EditJob, Job } from "../../run/job.ts";
import type { Variant } from "../../run/variant.ts";
import { referencePath } from "../../run/view.ts";
import { editCase, type Preparation, prepareCase } from "./edits.ts";
import type { RunFolder } from "./folder.ts";
import { preparationKey } from "./key.ts";
import { type MeasuredPicture, measurePicture, missingMetrics } from "./values.ts";

/** A model with its metrics. Several work at the same time. */
export interface Worker {
  readonly model: Model;
  readonly metrics: readonly Metric[];
  /** Scores the edits whose strength is chosen. */
  readonly clip?: Clip;
}

export interface RunInput {
  readonly folder: RunFolder;
  readonly jobs: readonly Job[];
  /** Returns a hash of everything that a job depends on besides the model. */
  readonly keyOf: (job: Job) => string;
  readonly workers: readonly Worker[];
  /** Size to work at. */
  readonly size: Size;
  /** Does jobs again that have failed. Default: false. */
  readonly retries?: boolean;
}

/** The jobs of one case. */
interface CaseJobs {
  readonly case: Case;
  readonly jobs: readonly Job[];
}

/** Returns the text that names a job. */
const nameOf = (job: Job): string => (job.type === "edit" ? job.variant.name : job.measurement.name);

/** Returns the jobs by case, in the order of the cases, each job once. */
function byCase(jobs: readonly Job[], keyOf: RunInput["keyOf"]): CaseJobs[] {
  const cases = new Map<string, { case: Case; jobs: Map<string, Job> }>();
  for (const job of jobs) {
    const one = cases.get(job.case.name) ?? { case: job.case, jobs: new Map<string, Job>() };
    cases.set(job.case.name, one);
    one.jobs.set(keyOf(job), job);
  }
  return [...cases.values()].map((one) => ({ case: one.case, jobs: [...one.jobs.values()] }));
}

/**
 * Does all jobs that the log lacks, case by case, and measures their pictures with the metrics that the log lacks. A job that
 * fails is recorded and does not end the run. Throws StorageError if the folder cannot be written, CancelledError.
 */
export const runJobs = (input: RunInput, signal?: AbortSignal): AsyncGenerator<RunEvent, void> =>
  stream<RunEvent>(async (emit, signal) => {
    const { jobs, keyOf, workers } = input;
    const cases = byCase(jobs, keyOf);
    const clock = new Clock(cases, emit);
    const queue = cases.values();
    await Promise.all(
      workers.map(async (worker) => {
        // The workers share the iterator, so each case has one of them.
        for (const one of queue) await new CaseRun(input, worker, one, clock, emit, signal).run();
      }),
    );
  }, signal);

/** Jobs that must be timed before they tell how long the others take. */
const MIN_TIMED = 5;

/** Counts finished jobs, and estimates the time that is left from the time of those that were done. */
class Clock {
  private done = 0;
  private readonly total: number;
  private readonly emit: Emit<RunEvent>;
  /** Seconds and number of the jobs that were done, by name. */
  private readonly spent = new Map<string, { seconds: number; count: number }>();
  private readonly left = new Map<string, number>();

  constructor(cases: readonly CaseJobs[], emit: Emit<RunEvent>) {
    const names = cases.flatMap(({ jobs }) => jobs.map(nameOf));
    this.total = names.length;
    this.emit = emit;
    for (const name of names) this.left.set(name, (this.left.get(name) ?? 0) + 1);
  }

  /** Counts a job. seconds: absent if it was not done now. */
  finished(job: Job, seconds?: number): void {
    const name = nameOf(job);
    this.done++;
    this.left.set(name, this.left.get(name)! - 1);
    if (seconds !== undefined) {
      const { seconds: sum, count } = this.spent.get(name) ?? { seconds: 0, count: 0 };
      this.spent.set(name, { seconds: sum + seconds, count: count + 1 });
    }
    this.emit({ type: "finished", case: job.case.name, what: name, seconds, ...this.state() });
  }

  private state(): { done: number; total: number; secondsLeft?: number } {
    const all = [...this.spent.values()];
    const count = all.reduce((sum, one) => sum + one.count, 0);
    const usual = all.reduce((sum, one) => sum + one.seconds, 0) / count;
    const secondsLeft = [...this.left].reduce((sum, [name, left]) => {
      const own = this.spent.get(name);
      return sum + left * (own ? own.seconds / own.count : usual);
    }, 0);
    return { done: this.done, total: this.total, ...(count >= MIN_TIMED && { secondsLeft }) };
  }
}

/** The jobs of one case, by one worker. */
class CaseRun {
  private readonly input: RunInput;
  private readonly worker: Worker;
  private readonly one: CaseJobs;
  private readonly clock: Clock;
  private readonly emit: Emit<RunEvent>;
  private readonly signal: AbortSignal;
  private pictures: CasePictures | undefined;
  /** The prepared photo of the latest edit, by its key. */
  private prepared: { readonly key: string; readonly value: Preparation } | undefined;

  constructor(input: RunInput, worker: Worker, one: CaseJobs, clock: Clock, emit: Emit<RunEvent>, signal: AbortSignal) {
    this.input = input;
    this.worker = worker;
    this.one = one;
    this.clock = clock;
    this.emit = emit;
    this.signal = signal;
  }

  async run(): Promise<void> {
    // Edits of equal preparation follow each other.
    const keyed = this.one.jobs.map((job) => ({ job, key: this.preparationKey(job) }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    for (const { job, key } of keyed) {
      if (this.prepared && this.prepared.key !== key) await this.dispose();
      throwIfCancelled(this.signal, "the run");
      await this.do(job);
    }
    await this.dispose();
    await this.record("the pictures of the case", `case ${this.one.case.name}`, () => this.measureReferences());
  }

  private preparationKey(job: Job): string {
    return job.type === "edit" ? preparationKey(this.worker.model, job.case, job.variant) : "";
  }

  private async dispose(): Promise<void> {
    await this.prepared?.value.dispose();
    this.prepared = undefined;
  }

  /** Does a job, if the log lacks it, and measures its pictures. */
  private async do(job: Job): Promise<void> {
    const { folder, keyOf, retries } = this.input;
    const key = keyOf(job);
    const began = performance.now();
    const isFailed = folder.results.failure(key) !== undefined && !retries;
    let isWork = false;
    if (!isFailed) {
      await this.record(nameOf(job), key, async () => {
        isWork = await (job.type === "edit" ? this.edit(job, key) : this.measure(job, key));
      });
    }
    this.clock.finished(job, isWork ? (performance.now() - began) / 1000 : undefined);
  }

  /** Does work. Records the error if it fails, unless nothing more can be written. */
  private async record(what: string, key: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof CancelledError || this.signal.aborted || error instanceof StorageError) throw error;
      if (!(error instanceof Error)) throw error;
      const code = error instanceof BaretError ? error.code : "unexpected";
      const { name } = this.one.case;
      await this.input.folder.append({ type: "failure", key, case: name, what, code, message: error.message });
      this.emit({ type: "failed", case: name, what, error });
    }
  }

  /** Returns true if there was anything to do. */
  private async edit(job: EditJob, key: string): Promise<boolean> {
    const { model, clip } = this.worker;
    const { folder } = this.input;
    let line = folder.results.edit(key);
    const isLacking = line === undefined || (await this.lacksPictures(Object.values(line.pictures), key));
    if (isLacking) {
      const work = { onProgress: this.progressOf(job), signal: this.signal };
      const preparation = this.prepared?.value ?? (await prepareCase(model, job, await this.read(), folder, work));
      this.prepared = { key: this.preparationKey(job), value: preparation };
      line = await editCase(model, job, key, preparation, clip, folder, work);
      await folder.append(line);
    }
    let isMeasured = false;
    for (const path of Object.values(line!.pictures)) isMeasured = (await this.values({ path, key })) || isMeasured;
    return isLacking || isMeasured;
  }

  /** Tells if a picture is missing that a metric still has to measure. */
  private async lacksPictures(paths: readonly string[], key: string): Promise<boolean> {
    for (const path of paths) {
      const missing = await this.missing({ path, key });
      if (missing.length > 0 && !(await exists(join(this.input.folder.path, path)))) return true;
    }
    return false;
  }

  private async measure(job: Extract<Job, { type: "measurement" }>, key: string): Promise<boolean> {
    const { folder } = this.input;
    if (folder.results.measurement(key)) return false;
    const { model } = this.worker;
    const work = { onProgress: this.progressOf(job), signal: this.signal };
    const { name } = job.measurement;
    const pictured = await this.read();
    const prepare = async (variant: Variant): Promise<Prepared> => {
      const edit = { type: "edit", case: job.case, variant } as const;
      return (await prepareCase(model, edit, pictured, folder, work)).prepared;
    };
    const input = { model, case: job.case, pictures: pictured, prepare };
    const { data, pictures: made } = await job.measurement.measure(input, work);
    const pictures: Record<string, string> = {};
    for (const [picture, shown] of Object.entries(made)) {
      pictures[picture] = `measurements/${job.case.name}/${name}-${key}-${picture}.png`;
      await folder.write(pictures[picture], shown);
    }
    await folder.append({ type: "measurement", key, case: job.case.name, what: name, data, pictures });
    return true;
  }

  private async missing(picture: MeasuredPicture): Promise<readonly Metric[]> {
    const { folder } = this.input;
    const { case: one } = this.one;
    if (!folder.results.case(one.name)) await this.read();
    return missingMetrics(one, folder.results.case(one.name)!, picture, this.worker.metrics, folder);
  }

  /** Measures a picture. Returns true if there was anything to measure. */
  private async values(picture: MeasuredPicture): Promise<boolean> {
    const missing = await this.missing(picture);
    if (missing.length === 0) return false;
    await measurePicture(this.one.case, await this.read(), picture, missing, this.input.folder, this.signal);
    return true;
  }

  /** Measures the photo and the true result as if they were edits: what doing nothing, and doing it perfectly, would give. */
  private async measureReferences(): Promise<void> {
    const { folder } = this.input;
    const { name } = this.one.case;
    for (const picture of ["photo", "truth"] as const) {
      if (picture === "truth" && folder.results.case(name)?.truth === false) continue;
      const path = referencePath(name, picture);
      if (!(await exists(join(folder.path, path)))) {
        const shown = (await this.read())[picture];
        if (shown) await folder.write(path, shown);
      }
      if (picture === "photo" || folder.results.case(name)?.truth) await this.values({ path });
    }
  }

  /** Reads the pictures of the case. Throws ImageError, UsageError if the photo is another one than before. */
  private async read(): Promise<CasePictures> {
    if (this.pictures) return this.pictures;
    const pictures = await this.one.case.pictures(this.input.size);
    const { folder } = this.input;
    const { name } = this.one.case;
    const photo = pictureHash(pictures.photo);
    const earlier = folder.results.case(name);
    if (earlier && earlier.photo !== photo) {
      throw new UsageError("the photo has changed since the run began", {
        where: name,
        advice: "Choose another folder for the run.",
      });
    }
    const [truth, kept] = [pictures.truth !== undefined, pictures.kept !== undefined];
    if (!earlier) await folder.append({ type: "case", case: name, photo, truth, kept });
    this.pictures = pictures;
    return pictures;
  }

  private progressOf =
    (job: Job) =>
    ({ phase, done, total }: { phase: string; done: number; total: number }): void =>
      this.emit({ type: "progress", case: job.case.name, what: nameOf(job), phase, done, total });
}
