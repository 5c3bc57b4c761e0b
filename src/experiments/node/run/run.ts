import { join } from "node:path";
import {
  BaretError,
  CancelledError,
  ImageError,
  type Picture,
  StorageError,
  throwIfCancelled,
  UsageError,
} from "../../../core/index.ts";
import type { Model, Size } from "../../../diffusion/index.ts";
import { type Prepared, pictureHash } from "../../../editing/index.ts";
import { decodeImage } from "../../../image/node/index.ts";
import type { Clip, Metric } from "../../../metrics/index.ts";
import { exists } from "../../../storage/node/index.ts";
import { type Emit, stream } from "../../../tasks/index.ts";
import type { Case, CasePictures } from "../../cases/case.ts";
import type { RunEvent } from "../../run/event.ts";
import type { EditJob, Job } from "../../run/job.ts";
import { type LineOf, referencesKey } from "../../run/log.ts";
import type { Variant } from "../../run/variant.ts";
import { referencePath } from "../../run/view.ts";
import { Clock } from "./clock.ts";
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
    if (!one.jobs.has(keyOf(job))) one.jobs.set(keyOf(job), job);
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
    const clock = new Clock(
      cases.flatMap(({ jobs }) => jobs.map(nameOf)),
      workers.length,
    );
    const queue = cases.values();
    await Promise.all(
      workers.map(async (worker) => {
        // The workers share the iterator, so each case has one of them.
        for (const one of queue) await new CaseRun(input, worker, one, clock, emit, signal).run();
      }),
    );
  }, signal);

/** A job, or one metric of one picture, for the record of its failure. */
interface Failing {
  readonly what: string;
  readonly key: string;
  readonly picture?: string;
  readonly metric?: string;
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
    const key = referencesKey(this.one.case.name);
    await this.record({ what: "the pictures of the case", key }, () => this.measureReferences());
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
      await this.record({ what: nameOf(job), key }, async () => {
        // Also if nothing is left to do: a photo that has changed must not pass for the earlier one.
        await this.read();
        isWork = await (job.type === "edit" ? this.edit(job, key) : this.measure(job, key));
      });
    }
    const seconds = isWork ? (performance.now() - began) / 1000 : undefined;
    const what = nameOf(job);
    this.emit({ type: "finished", case: job.case.name, what, seconds, ...this.clock.finished(what, seconds) });
  }

  /** Does work. Records the error if it fails, unless nothing more can be written. */
  private async record(failing: Failing, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof CancelledError || this.signal.aborted || error instanceof StorageError) throw error;
      if (!(error instanceof Error)) throw error;
      const code = error instanceof BaretError ? error.code : "unexpected";
      const { name } = this.one.case;
      await this.input.folder.append({ type: "failure", ...failing, case: name, code, message: error.message });
      this.emit({ type: "failed", case: name, what: failing.what, error });
    }
  }

  /** Returns true if there was anything to do. */
  private async edit(job: EditJob, key: string): Promise<boolean> {
    const { model, clip } = this.worker;
    const { folder } = this.input;
    let line = folder.results.edit(key);
    const pictures = Object.values(line?.pictures ?? {}).map((path) => ({ path, key }));
    const isLacking = line === undefined || (await this.lacksOne(pictures));
    if (isLacking) {
      const work = { onProgress: this.progressOf(job), signal: this.signal };
      const preparation = this.prepared?.value ?? (await prepareCase(model, job, await this.read(), folder, work));
      this.prepared = { key: this.preparationKey(job), value: preparation };
      line = await editCase(model, job, key, preparation, clip, folder, work);
      await folder.append(line);
    }
    let isMeasured = false;
    for (const path of Object.values(line!.pictures)) isMeasured = (await this.values({ path, key })) || isMeasured;
    // After a retry that had only to measure, the edit has not failed any more.
    if (folder.results.failure(key)) await folder.append(line!);
    return isLacking || isMeasured;
  }

  /** Tells if one of some pictures is missing or damaged, and a metric still has to measure it. */
  private async lacksOne(pictures: readonly MeasuredPicture[]): Promise<boolean> {
    for (const picture of pictures) {
      if (this.missing(picture).length > 0 && !(await this.canRead(picture.path))) return true;
    }
    return false;
  }

  /** Tells if a picture of the run's folder is there and whole. */
  private async canRead(path: string): Promise<boolean> {
    try {
      await this.decode(path);
      return true;
    } catch (error) {
      if (error instanceof ImageError) return false;
      throw error;
    }
  }

  private decode = (path: string): Promise<Picture> => decodeImage(join(this.input.folder.path, path));

  private async measure(job: Extract<Job, { type: "measurement" }>, key: string): Promise<boolean> {
    const { folder } = this.input;
    if (folder.results.measurement(key)) return false;
    const { model } = this.worker;
    const work = { onProgress: this.progressOf(job), signal: this.signal };
    const { name } = job.measurement;
    const pictured = await this.read();
    const used: Preparation[] = [];
    const prepare = async (variant: Variant): Promise<Prepared> => {
      const edit = { type: "edit", case: job.case, variant } as const;
      const preparation = await prepareCase(model, edit, pictured, folder, work);
      used.push(preparation);
      return preparation.prepared;
    };
    const input = { model, case: job.case, pictures: pictured, prepare };
    const { data, pictures: made } = await job.measurement.measure(input, work);
    // An edit must not find the steps: it would not know what they cost.
    for (const preparation of used) await preparation.dispose();
    const pictures: Record<string, string> = {};
    for (const [picture, shown] of Object.entries(made)) {
      pictures[picture] = `measurements/${job.case.name}/${name}-${key}-${picture}.png`;
      await folder.write(pictures[picture], shown);
    }
    await folder.append({ type: "measurement", key, case: job.case.name, what: name, data, pictures });
    return true;
  }

  /** Returns the metrics that a picture lacks. The pictures of the case must have been read. */
  private missing(picture: MeasuredPicture): readonly Metric[] {
    const { folder, retries = false } = this.input;
    const { case: one } = this.one;
    return missingMetrics(one, folder.results.case(one.name)!, picture, this.worker.metrics, folder, retries);
  }

  /** Measures a picture. Returns true if there was anything to measure. */
  private async values(picture: MeasuredPicture): Promise<boolean> {
    const missing = this.missing(picture);
    if (missing.length === 0) return false;
    const pictures = { ...(await this.read()), edit: await this.decode(picture.path) };
    const { folder } = this.input;
    for (const metric of missing) {
      const { path, key = referencesKey(this.one.case.name) } = picture;
      const failing = { what: `the metric ${metric.name}`, key, picture: path, metric: metric.name };
      await this.record(failing, () => measurePicture(this.one.case, pictures, picture, metric, folder, this.signal));
    }
    return true;
  }

  /** Measures the photo and the true result as if they were edits: what doing nothing, and doing it perfectly, would give. */
  private async measureReferences(): Promise<void> {
    const { folder } = this.input;
    const { name } = this.one.case;
    const { photo, truth } = await this.read();
    for (const [reference, picture] of Object.entries({ photo, truth })) {
      if (!picture) continue;
      const path = referencePath(name, reference as "photo" | "truth");
      const isThere = (await exists(join(folder.path, path))) && !(await this.lacksOne([{ path }]));
      if (!isThere) await folder.write(path, picture);
      await this.values({ path });
    }
    const line = folder.results.case(name);
    if (line && folder.results.failure(referencesKey(name))) await folder.append(line);
  }

  /** Reads the pictures of the case. Throws ImageError, UsageError if they are not the same as before. */
  private async read(): Promise<CasePictures> {
    if (this.pictures) return this.pictures;
    const pictures = await this.one.case.pictures(this.input.size);
    const { folder } = this.input;
    const { name } = this.one.case;
    const { photo, truth, kept } = pictures;
    const line = {
      type: "case",
      case: name,
      photo: pictureHash(photo),
      ...(truth && { truth: pictureHash(truth) }),
      ...(kept && { kept: pictureHash(kept) }),
    } as const;
    const earlier: LineOf<"case"> | undefined = folder.results.case(name);
    const changed = earlier && (["photo", "truth", "kept"] as const).find((one) => earlier[one] !== line[one]);
    if (changed) {
      const what = { photo: "the photo", truth: "the true result", kept: "the mask" }[changed];
      throw new UsageError(`${what} has changed since the run began`, {
        where: name,
        advice: "Choose another folder for the run.",
      });
    }
    if (!earlier) await folder.append(line);
    this.pictures = pictures;
    return pictures;
  }

  private progressOf =
    (job: Job) =>
    ({ phase, done, total }: { phase: string; done: number; total: number }): void =>
      this.emit({ type: "progress", case: job.case.name, what: nameOf(job), phase, done, total });
}
