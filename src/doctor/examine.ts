import { BaretError, CancelledError, joinSignals, type Tensor, throwIfCancelled, type Work } from "../core/index.ts";
import { compile, type Target } from "../graph/index.ts";
import {
  automaticPrecision,
  type Device,
  deviceAdvice,
  devices,
  type Engine,
  missingDeviceAdvice,
  pieceOfUNet,
  type SampleGraph,
  targetOf,
} from "../runtime/index.ts";
import { checks, halfCheck } from "./programs.ts";
import type { CheckResult, DeviceReport } from "./report.ts";

export interface Examination extends Work {
  /** Starts an engine, which has run a tiny program. Throws DeviceError if the device cannot be used. */
  start: (device: Device, signal: AbortSignal) => Promise<Engine>;
  /** Seconds that a device has for its start, and for each program. Default 60. */
  limit?: number;
}

/** Largest error that rounding explains, relative to the largest value of a result. */
const RIGHT = 1e-4;
/** Largest error that a mantissa of 10 bits explains, as float16 and NVIDIA's TF32 have. */
const INEXACT = 1e-2;
/** Timed passes through the piece of a U-Net. The fastest counts, because the first one is slow. */
const RUNS = 6;
/** After so many milliseconds, the passes are not repeated. */
const LONG = 2000;
/** Default limit, in seconds. */
const LIMIT = 60;

type Results = Record<string, Tensor>;

/** Results of each check, by its name. */
type Reference = ReadonlyMap<string, Results>;

class TooSlow extends Error {}

/** Runs `work` with a signal that aborts after `limit` seconds. Throws TooSlow then, and CancelledError as `signal` aborts. */
async function within<T>(limit: number, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>) {
  const timer = AbortSignal.timeout(limit * 1000);
  const limited = joinSignals(signal, timer);
  try {
    return await work(limited.signal);
  } catch (error) {
    throwIfCancelled(signal, "the examination");
    if (timer.aborted && error instanceof CancelledError) throw new TooSlow(`no answer within ${limit} s`);
    throw error;
  } finally {
    limited.release();
  }
}

/** Compiles and loads the program of a check, runs it, and releases it. */
async function resultsOf(engine: Engine, check: SampleGraph, target: Target, signal: AbortSignal): Promise<Results> {
  const half = check === halfCheck && engine.device !== "cpu";
  const program = compile(check.outputs(), { name: check.name, target, half, bind: () => "fed" });
  const session = await engine.load(program, { signal });
  const results = await session.run(check.feeds, { signal });
  await session.release();
  return results;
}

/** Returns the largest difference of two results, relative to the largest value of the right one. NaN if `found` holds NaN. */
export function errorOf(found: Results, right: Results): number {
  const errors = Object.entries(right).map(([name, { data }]) => {
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return data.reduce((most, value, i) => Math.max(most, Math.abs(value - found[name].data[i])), 0) / largest;
  });
  return Math.max(...errors);
}

const outcomeOf = (error: number): CheckResult["outcome"] =>
  error <= RIGHT ? "right" : error <= INEXACT ? "inexact" : "wrong";

/** Returns what native code said, or else the first line of the error. The other lines say what to do. */
function reasonOf(error: unknown): string {
  const { found } = error instanceof BaretError ? error.details : {};
  const said = found !== undefined && !(devices as readonly string[]).includes(found) ? found : undefined;
  return said ?? (error instanceof Error ? error.message : String(error)).split("\n")[0];
}

/** Runs one check. It never throws but CancelledError, if `signal` aborts. */
async function checkOn(
  engine: Engine,
  check: SampleGraph,
  reference: Reference,
  { limit = LIMIT, signal }: Examination,
) {
  const { name } = check;
  try {
    const found = await within(limit, signal, (limited) => resultsOf(engine, check, targetOf(engine.device), limited));
    const right = reference.get(name);
    if (!right)
      return { name, outcome: "failed", reason: "the CPU gave no result to compare with" } satisfies CheckResult;
    const error = errorOf(found, right);
    const outcome = outcomeOf(error);
    if (!Number.isFinite(error)) return { name, outcome, reason: "its results contain NaN" } satisfies CheckResult;
    const differs = `its results differ from the CPU's by ${error.toExponential(1)}`;
    return { name, outcome, error, ...(outcome === "wrong" && { reason: differs }) } satisfies CheckResult;
  } catch (error) {
    throwIfCancelled(signal, "the examination");
    return notRun(name, error);
  }
}

/**
 * Times the piece of a U-Net: the fastest of several passes, or the only one if that takes long. Returns milliseconds, or what
 * went wrong. Throws CancelledError if `signal` aborts.
 */
async function timeOf(engine: Engine, { limit = LIMIT, signal }: Examination): Promise<number | CheckResult> {
  try {
    return await within(limit, signal, async (limited) => {
      const program = compile(pieceOfUNet.outputs(), {
        name: pieceOfUNet.name,
        target: targetOf(engine.device),
        bind: () => "fed",
      });
      const session = await engine.load(program, { signal: limited });
      let least = Number.POSITIVE_INFINITY;
      const end = performance.now() + LONG;
      for (let run = 0; run < RUNS && performance.now() < end; run++) {
        const began = performance.now();
        await session.run(pieceOfUNet.feeds, { signal: limited });
        least = Math.min(least, performance.now() - began);
      }
      await session.release();
      return least;
    });
  } catch (error) {
    throwIfCancelled(signal, "the examination");
    return notRun(pieceOfUNet.name, error);
  }
}

const notRun = (name: string, error: unknown): CheckResult => ({
  name,
  outcome: error instanceof TooSlow ? "slow" : "failed",
  reason: reasonOf(error),
});

function stateOf(results: readonly CheckResult[]): DeviceReport["state"] {
  const outcomes = new Set(results.map(({ outcome }) => outcome));
  if (outcomes.has("failed")) return "fails";
  if (outcomes.has("slow")) return "slow";
  return outcomes.has("wrong") ? "wrong" : "works";
}

const software =
  "The device may be a program that imitates a graphics card, or its driver hangs. Use the device cpu, or install the card's own driver.";

function adviceFor(device: Device, state: DeviceReport["state"], reason: string | undefined, timesCpu?: number) {
  if (state === "fails") return deviceAdvice(device, reason);
  if (state === "slow") return software;
  if (state === "wrong") return "Do not use this device: its results differ from the CPU's. A newer driver may help.";
  if (timesCpu !== undefined && timesCpu < 1) return `It is slower than the CPU. ${software}`;
  return undefined;
}

/** Examines a device that has started. */
async function examine(
  engine: Engine,
  reference: Reference,
  cpuTime: number | undefined,
  options: Examination,
): Promise<Omit<DeviceReport, "start">> {
  const { device } = engine;
  const results: CheckResult[] = [];
  const total = checks.length + 1;
  for (const [done, check] of checks.entries()) {
    options.onProgress?.({ phase: `examine ${device}`, done, total, note: check.name });
    results.push(await checkOn(engine, check, reference, options));
    // A device that does not answer once would take as long for each of the other checks.
    if (results.at(-1)!.outcome === "slow") break;
  }
  const isInTime = stateOf(results) !== "slow";
  const half = isInTime && device !== "cpu" ? await checkOn(engine, halfCheck, reference, options) : undefined;
  let time: number | undefined;
  if (isInTime) {
    options.onProgress?.({ phase: `examine ${device}`, done: checks.length, total, note: pieceOfUNet.name });
    const timed = await timeOf(engine, options);
    if (typeof timed === "number") time = timed;
    else results.push(timed);
  }
  options.onProgress?.({ phase: `examine ${device}`, done: total, total });
  const precision = stateOf(results) === "works" ? await automaticPrecision(engine, options.signal) : undefined;
  const bad = results.find(({ reason }) => reason !== undefined);
  const state = stateOf(results);
  const timesCpu = time !== undefined && cpuTime !== undefined ? cpuTime / time : undefined;
  const advice = adviceFor(device, state, bad?.reason, timesCpu);
  return {
    device,
    state,
    checks: results,
    ...(half && { half }),
    ...(precision && { precision }),
    ...(time !== undefined && { speed: { milliseconds: time, ...(timesCpu !== undefined && { timesCpu }) } }),
    ...(bad && { reason: `${bad.name}: ${bad.reason}` }),
    ...(advice !== undefined && { advice }),
  };
}

/** Returns a report about a device that did not start. */
function notStarted(device: Device, error: unknown): DeviceReport {
  const reason = reasonOf(error);
  if (error instanceof TooSlow) return { device, state: "slow", checks: [], reason, advice: software };
  const { advice, expected } = error instanceof BaretError ? error.details : {};
  // The error for a device that the build lacks is the only one that lists others.
  const absent = error instanceof BaretError && error.code === "device" && expected !== undefined;
  return {
    device,
    state: absent ? "absent" : "fails",
    checks: [],
    reason: absent ? "this build of onnxruntime does not have it" : reason,
    advice: absent ? missingDeviceAdvice(device) : (advice ?? deviceAdvice(device, reason)),
  };
}

/**
 * Returns the CPU's results with operations of the ONNX standard alone, which are other kernels than those that the CPU is
 * checked with.
 */
async function referenceOf(cpu: Engine, { limit = LIMIT, signal }: Examination): Promise<Reference> {
  const found = new Map<string, Results>();
  for (const check of [...checks, halfCheck]) {
    await within(limit, signal, (limited) => resultsOf(cpu, check, "onnx", limited)).then(
      (results) => found.set(check.name, results),
      () => throwIfCancelled(signal, "the examination"),
    );
  }
  return found;
}

/**
 * Examines devices one after the other, the CPU first, since the others are compared with it. Each has an engine, and so a
 * process, of its own. A device that fails, crashes or does not answer is reported. Throws CancelledError if `signal` aborts.
 */
export async function examineDevices(wanted: readonly Device[], options: Examination): Promise<DeviceReport[]> {
  const { limit = LIMIT, signal } = options;
  const reports: DeviceReport[] = [];
  let reference: Reference = new Map();
  for (const device of wanted.toSorted((a, b) => Number(b === "cpu") - Number(a === "cpu"))) {
    throwIfCancelled(signal, "the examination");
    const began = performance.now();
    let engine: Engine | undefined;
    try {
      engine = await within(limit, signal, (limited) => options.start(device, limited));
      const start = (performance.now() - began) / 1000;
      if (device === "cpu") reference = await referenceOf(engine, options);
      const cpuTime = reports.find((one) => one.device === "cpu")?.speed?.milliseconds;
      reports.push({ start, ...(await examine(engine, reference, cpuTime, options)) });
    } catch (error) {
      throwIfCancelled(signal, "the examination");
      reports.push(notStarted(device, error));
    } finally {
      await engine?.close();
    }
  }
  return reports;
}
