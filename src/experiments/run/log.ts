import { z } from "zod";

/** Lines of a run's log. Each is one JSON object. A later line about the same thing takes precedence. */

const name = z.string().max(500);
const cost = z.object({ seconds: z.number(), evaluations: z.number(), gradients: z.number() });

/** Written each time that a run starts or goes on. */
const startLine = z.object({
  type: z.literal("start"),
  time: z.string(),
  /** Facts that must not change, by name: the model's hash, the cases, the size. */
  identity: z.record(name, z.string()),
  /** Hashes of the networks that measure, by name. A later run may add some. */
  networks: z.record(name, z.string()).optional(),
  /** Facts about the machine and the versions, by name. */
  machine: z.record(name, z.string()),
});

/** Written when the pictures of a case are read for the first time. */
const caseLine = z.object({
  type: z.literal("case"),
  case: name,
  /** SHA-256 of the sizes and pixels of the photo, the true result and the mask of what must stay. Absent if there is none. */
  photo: name,
  truth: name.optional(),
  kept: name.optional(),
});

const editLine = z.object({
  type: z.literal("edit"),
  /** Hash of everything that the edit depends on. */
  key: name,
  case: name,
  method: name,
  /** All settings in effect. */
  settings: z.record(z.string(), z.unknown()),
  /** Share of the strip that was chosen. Absent if the settings were given. */
  keep: z.number().optional(),
  costs: z.object({
    /** Absent if an earlier run had prepared a part of it, so that its time is not known. */
    prepare: cost.optional(),
    edit: cost,
  }),
  /** PSNR in dB; null if there is no difference. Absent if the method has no reconstruction. */
  quality: z.object({ inversion: z.number().nullable().optional(), vae: z.number().nullable().optional() }),
  /** Iterations of the optimiser. Absent if the method does not optimise. */
  iterations: z.number().optional(),
  /** Paths in the folder of the run, by the names of the pictures. */
  pictures: z.record(name, z.string()),
});

const failureLine = z.object({
  type: z.literal("failure"),
  key: name,
  case: name,
  /** Name of the method or the measurement that failed. */
  what: name,
  code: name,
  message: z.string(),
  /** Path of the picture that a metric could not measure, and the metric. Absent if the job itself failed. */
  picture: z.string().optional(),
  metric: name.optional(),
});

const metricLine = z.object({
  type: z.literal("metric"),
  /** Path of the picture in the folder of the run. */
  picture: z.string(),
  /** The picture's edit, so that the value is of that edit only. Absent for pictures of a case. */
  key: name.optional(),
  metric: name,
  /** Null if there is nothing to measure. */
  value: z.number().nullable(),
});

const measurementLine = z.object({
  type: z.literal("measurement"),
  key: name,
  case: name,
  /** Name of the experiment. */
  what: name,
  data: z.unknown(),
  pictures: z.record(name, z.string()),
});

const lineSchema = z.discriminatedUnion("type", [
  startLine,
  caseLine,
  editLine,
  failureLine,
  metricLine,
  measurementLine,
]);

export type Line = z.infer<typeof lineSchema>;
export type LineOf<T extends Line["type"]> = Extract<Line, { readonly type: T }>;

/** A log as it was read. */
export interface ReadLog {
  readonly lines: readonly Line[];
  /** Numbers of lines that are none, from 1. A killed run may leave the last one incomplete. */
  readonly damaged: readonly number[];
}

/** Reads the text of a log. */
export function readLog(text: string): ReadLog {
  const lines: Line[] = [];
  const damaged: number[] = [];
  for (const [k, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const read = lineOf(line);
    if (read) lines.push(read);
    else damaged.push(k + 1);
  }
  return { lines, damaged };
}

function lineOf(text: string): Line | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Returns the key of a failure to measure the pictures of a case themselves. */
export const referencesKey = (name: string): string => `case ${name}`;

const valueKey = (picture: string, metric: string, key = ""): string => JSON.stringify([picture, metric, key]);

/** Contents of a log, by the keys of its lines. */
export class Results {
  readonly starts: LineOf<"start">[] = [];
  private readonly cases = new Map<string, LineOf<"case">>();
  private readonly edits = new Map<string, LineOf<"edit">>();
  private readonly failures = new Map<string, LineOf<"failure">>();
  private readonly values = new Map<string, number | null>();
  /** Failures of metrics, by the keys of their values. */
  private readonly unmeasured = new Map<string, LineOf<"failure">>();
  private readonly measurements = new Map<string, LineOf<"measurement">>();

  constructor(lines: readonly Line[] = []) {
    for (const line of lines) this.add(line);
  }

  add(line: Line): void {
    if (line.type === "start") this.starts.push(line);
    else if (line.type === "case") {
      this.failures.delete(referencesKey(line.case));
      this.cases.set(line.case, line);
    } else if (line.type === "metric") {
      const key = valueKey(line.picture, line.metric, line.key);
      this.unmeasured.delete(key);
      this.values.set(key, line.value);
    } else if (line.type === "failure") {
      const { key, picture, metric } = line;
      if (picture === undefined || metric === undefined) this.failures.set(key, line);
      else this.unmeasured.set(valueKey(picture, metric, key === referencesKey(line.case) ? "" : key), line);
    } else {
      // A job that failed was done again.
      this.failures.delete(line.key);
      if (line.type === "edit") this.edits.set(line.key, line);
      else this.measurements.set(line.key, line);
    }
  }

  case = (name: string): LineOf<"case"> | undefined => this.cases.get(name);
  edit = (key: string): LineOf<"edit"> | undefined => this.edits.get(key);
  /** Returns the failure of a job. */
  failure = (key: string): LineOf<"failure"> | undefined => this.failures.get(key);
  /** Returns the failures of metrics. */
  metricFailures = (): readonly LineOf<"failure">[] => [...this.unmeasured.values()];
  measurement = (key: string): LineOf<"measurement"> | undefined => this.measurements.get(key);

  /** Tells if a metric failed on a picture. */
  isUnmeasured = (picture: string, metric: string, key?: string): boolean =>
    this.unmeasured.has(valueKey(picture, metric, key));

  /** Returns the value of a metric: null if there was nothing to measure, undefined if it was not measured. */
  value = (picture: string, metric: string, key?: string): number | null | undefined =>
    this.values.get(valueKey(picture, metric, key));
}
