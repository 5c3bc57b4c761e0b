import { cpus } from "node:os";
import { basename } from "node:path";
import { few, UsageError, version, type Warning } from "../../../core/index.ts";
import { type Model, modelHash, type Size } from "../../../diffusion/index.ts";
import { methodsWithoutCaption } from "../../../editing/index.ts";
import type { Clip } from "../../../metrics/index.ts";
import { type MetricNetworks, type OpenMetrics, openMetrics } from "../../../metrics/node/index.ts";
import { openClip } from "../../../tasks/index.ts";
import type { Case, CaseSet } from "../../cases/case.ts";
import { spread } from "../../cases/chosen.ts";
import type { Experiment, Plan } from "../../paper/experiment.ts";
import { experiments } from "../../paper/index.ts";
import { studyOf } from "../../paper/study.ts";
import { reportValues } from "../../paper/values.ts";
import { ratingResults, type Study } from "../../rating/index.ts";
import { metricFact } from "../../report/names.ts";
import type { Report, Section } from "../../report/report.ts";
import type { RunEvent } from "../../run/event.ts";
import type { Job } from "../../run/job.ts";
import { Results, referencesKey } from "../../run/log.ts";
import type { Variant } from "../../run/variant.ts";
import { View } from "../../run/view.ts";
import { readRaters } from "../rating/raterFiles.ts";
import { RunFolder } from "./folder.ts";
import { keysOf } from "./key.ts";
import { networkHashes } from "./networks.ts";
import { runJobs, type Worker } from "./run.ts";

/** Cases, methods and metrics of a run. */
export interface RunOptions {
  /** Folder of the run, which may hold an earlier part of it. */
  readonly folder: string;
  /** Names of experiments. Default: all for which cases and metrics suffice. */
  readonly names?: readonly string[];
  readonly set: CaseSet;
  /** The cases of the set to use. */
  readonly cases: readonly Case[];
  /** The models of the workers, all the same. */
  readonly models: readonly Model[];
  /** The methods with their settings, each once. */
  readonly variants: readonly Variant[];
  /** Cases at most of a method that tunes weights. Default: a quarter. */
  readonly tunedLimit?: number;
  /** Networks of metrics besides the model's judge. */
  readonly networks?: MetricNetworks;
  readonly size?: Size;
  /** Does again what has failed. Default: false. */
  readonly retries?: boolean;
  readonly signal?: AbortSignal;
}

/** An experiment that is left out, and the reason. */
export interface LeftOutExperiment {
  readonly name: string;
  readonly why: string;
}

/** A run whose settings are checked. */
export interface OpenRun {
  readonly leftOut: readonly LeftOutExperiment[];
  readonly warnings: readonly Warning[];
  /** Does what the log lacks. */
  run(signal?: AbortSignal): AsyncGenerator<RunEvent, void>;
  /** Returns the report of what the log and the raters' files have now. commandOf: the command that makes one experiment. */
  report(commandOf: (name: string) => string): Promise<Report>;
  /** Returns what people can rate. Undefined if no edit is there. */
  study(): Study | undefined;
  /** Returns the number of jobs in all, and of those that failed, with cases whose own pictures could not be measured. */
  counts(): { readonly jobs: number; readonly failed: number };
  /** Frees metrics and the folder. The models stay open. */
  close(): Promise<void>;
}

/** Returns the experiments of these names. Throws UsageError. */
function experimentsNamed(names: readonly string[] | undefined): readonly Experiment[] {
  if (names === undefined) return experiments;
  const unknown = names.filter((name) => !experiments.some((one) => one.name === name));
  if (unknown.length > 0) {
    throw new UsageError("no such experiment", {
      found: unknown.join(", "),
      expected: `all, ${experiments.map(({ name }) => name).join(", ")}`,
    });
  }
  return experiments.filter(({ name }) => names.includes(name));
}

/** Tells if a method can edit a case: it may need a caption of the photo. */
const canEdit = ({ method }: Variant, { source }: Case): boolean =>
  method.needs.caption !== "required" || source !== undefined;

const namesOf = (variants: readonly Variant[]): string => few(variants.map(({ name }) => name));

function planOf({ cases, variants, tunedLimit = Math.max(1, Math.floor(cases.length / 4)) }: RunOptions): Plan {
  const tuned = spread(cases, Math.min(tunedLimit, cases.length));
  const own = new Map(
    variants.map((variant) => {
      const own = variant.method.needs.weightGradients ? tuned : cases;
      return [variant, own.filter((one) => canEdit(variant, one))] as const;
    }),
  );
  return { cases, variants: variants.filter((one) => own.get(one)!.length > 0), casesOf: (one) => own.get(one) ?? [] };
}

/** Returns the networks of metrics, with the model's judge if it has one. */
const withJudge = (networks: MetricNetworks, clip: Clip | undefined): MetricNetworks => ({
  ...(clip && { judge: clip.name }),
  ...networks,
});

/** Returns the numbers that noise predictions are computed in, if they are not float32. */
const numbersOf = ({ engine: { precision, linear } }: Model): Record<string, string> => ({
  ...(precision !== "float32" && { precision }),
  ...(linear !== "float32" && { "linear layers": linear }),
});

/** Returns facts about this machine and these versions. */
function machineOf({ engine }: Model): Record<string, string> {
  const processors = cpus();
  return {
    processor: `${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}`,
    threads: `${engine.threads}`,
    device: engine.device,
    node: process.versions.node,
    onnxruntime: engine.versions.onnxruntime,
    baret: version,
  };
}

/** Opens a run: checks all settings, loads the metrics, and locks the folder. Throws UsageError, CheckpointError, StorageError. */
export async function openRun(options: RunOptions): Promise<OpenRun> {
  const { folder: path, set, models, names, networks = {}, retries, signal } = options;
  const [model] = models;
  const size = model.workingSize(options.size);
  const plan = planOf(options);
  if (plan.variants.length === 0) {
    throw new UsageError("the methods need captions of the photos, and no case has one", {
      found: namesOf(options.variants),
      advice: `docs/cases.md describes captions. These methods need none: ${methodsWithoutCaption()}.`,
    });
  }
  const wanted = experimentsNamed(names);
  const opened: OpenMetrics[] = [];
  const workers: Worker[] = [];
  const release = async (): Promise<void> => {
    for (const { clip } of workers) await clip?.release();
    for (const one of opened) await one.release();
  };
  try {
    for (const one of models) {
      const clip = await openClip(one, undefined, { signal });
      const metrics = await openMetrics(one.engine, withJudge(networks, clip), { signal });
      opened.push(metrics);
      workers.push({ model: one, metrics: metrics.metrics, clip });
    }
    const { clip } = workers[0];
    const keyOf = keysOf(model, clip ? basename(clip.name) : "noise");
    const known = new View(plan.cases, workers[0].metrics, new Results(), keyOf);
    const lacking = wanted.flatMap((one) => {
      const why = one.lacks?.(plan, known);
      return why === undefined ? [] : [{ name: one.name, why }];
    });
    if (names !== undefined && lacking.length > 0) {
      const lines = lacking.map(({ name, why }) => `${name}: ${why}`).join("; ");
      throw new UsageError("experiments that lack what they need", {
        found: lines,
        advice: "Leave them out, or give it: docs/cases.md describes cases, docs/metrics.md the networks of metrics.",
      });
    }
    const chosen = wanted.filter(({ name }) => !lacking.some((one) => one.name === name));
    const jobs = chosen.flatMap((one) => one.jobs(plan));
    for (const job of jobs) keyOf(job);
    const identity = {
      model: (await modelHash(model, { signal })).slice(0, 16),
      cases: set.name,
      size: `${size.width}x${size.height}`,
      ...numbersOf(model),
    };
    const hashes = await networkHashes(withJudge(networks, clip), { signal });
    const folder = await RunFolder.open(path, { identity, networks: hashes, machine: machineOf(model) });
    const view = new View(plan.cases, workers[0].metrics, folder.results, keyOf);
    const unique = new Map<string, Job>();
    // Of equal jobs, the first one gives its name to the values.
    for (const job of jobs) if (!unique.has(keyOf(job))) unique.set(keyOf(job), job);
    return {
      leftOut: lacking,
      warnings: [...captionWarnings(options, plan), ...damageWarnings(folder)],
      run: (signal) => runJobs({ folder, jobs, keyOf, workers, size, retries }, signal),
      report: async (commandOf) => {
        const raters = await readRaters(path);
        const study = studyOf(plan, view);
        const ratings = study && raters.size > 0 ? ratingResults(study, raters) : undefined;
        return {
          title: `baret: ${set.name}, ${plan.cases.length} cases`,
          facts: factsOf(model, options, plan, { identity, networks: hashes }, view),
          times: timesOf(view),
          sections: chosen.map((one): Section => {
            const { name, title, paper } = one;
            return { name, title, paper, ...one.findings(plan, view, ratings), command: commandOf(name) };
          }),
          values: reportValues([...unique.values()], view),
        };
      },
      study: () => studyOf(plan, view),
      counts: () => ({ jobs: unique.size, failed: failedCount(unique, plan.cases, folder.results) }),
      close: async () => {
        await folder.close();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Returns the number of jobs that failed, and of other cases whose own pictures could not be measured. */
function failedCount(jobs: ReadonlyMap<string, Job>, cases: readonly Case[], results: Results): number {
  const unmeasured = new Set(results.metricFailures().map(({ key }) => key));
  const hasFailed = (key: string): boolean => results.failure(key) !== undefined || unmeasured.has(key);
  const failed = [...jobs].filter(([key]) => hasFailed(key)).map(([, job]) => job.case.name);
  const others = cases.filter(({ name }) => !failed.includes(name) && hasFailed(referencesKey(name)));
  return failed.length + others.length;
}

function damageWarnings({ damaged: [first, ...others], path }: RunFolder): Warning[] {
  if (first === undefined) return [];
  const lines = others.length === 0 ? `line ${first}` : `line ${first} and ${others.length} others`;
  return [
    { code: "damaged-log", message: `${path}: ${lines} of the log cannot be read; what they held is done again` },
  ];
}

/** Warns if methods that need a caption leave out cases. */
function captionWarnings({ variants }: RunOptions, { cases }: Plan): Warning[] {
  const bare = cases.filter(({ source }) => source === undefined);
  const leaving = variants.filter((variant) => !bare.every((one) => canEdit(variant, one)));
  if (leaving.length === 0) return [];
  return [
    {
      code: "cases-without-caption",
      message:
        `${bare.length} of ${cases.length} cases have no caption of the photo, so these methods leave them out: ` +
        `${namesOf(leaving)}. docs/cases.md describes captions`,
    },
  ];
}

/** Returns the facts of a report that equal runs share. */
function factsOf(
  model: Model,
  { set }: RunOptions,
  plan: Plan,
  { identity, networks }: Readonly<Record<"identity" | "networks", Readonly<Record<string, string>>>>,
  { metrics }: View,
): Record<string, string> {
  const hashes = Object.entries(networks).map(([name, hash]) => `${name} ${hash}`);
  const tuned = plan.variants.filter(({ method }) => method.needs.weightGradients);
  const leaving = plan.variants.filter((one) => !tuned.includes(one) && plan.casesOf(one).length < plan.cases.length);
  const counts = (some: readonly Variant[]): string =>
    some.map((variant) => `${variant.name} ${plan.casesOf(variant).length}`).join(", ");
  return {
    model: `${model.name} (${identity.model})`,
    size: identity.size,
    ...numbersOf(model),
    cases: `${plan.cases.length} of ${set.about}`,
    methods: plan.variants.map(({ name }) => name).join(", "),
    ...(tuned.length > 0 && { "cases of methods that tune weights": counts(tuned) }),
    ...(leaving.length > 0 && { "cases of methods that need a caption": counts(leaving) }),
    ...settingsFacts(plan),
    ...Object.fromEntries(metrics.map(({ name, about }) => [metricFact(name), about])),
    ...(hashes.length > 0 && { "hashes of the metrics' networks": hashes.join(", ") }),
  };
}

/** Returns the settings that differ from the model's, by method. */
const settingsFacts = ({ variants }: Plan): Record<string, string> =>
  Object.fromEntries(
    variants.flatMap(({ name, preset, prepare, edit }) => {
      const own = { ...(preset !== undefined && { preset }), ...prepare, ...edit };
      return Object.keys(own).length === 0 ? [] : [[`settings of ${name}`, JSON.stringify(own)]];
    }),
  );

/** Returns the facts that differ between equal runs. */
function timesOf({ results }: View): Record<string, string> {
  const { starts } = results;
  const machines = [
    ...new Set(
      starts.map(({ machine }) =>
        Object.entries(machine)
          .map(([k, v]) => `${k} ${v}`)
          .join(", "),
      ),
    ),
  ];
  return {
    begun: starts[0]?.time ?? "",
    "last started": starts.at(-1)?.time ?? "",
    machine: machines.join("; "),
  };
}
