import type { Size } from "../core/index.ts";
import { type DryRun, dryRun, type Model, speedProbe, zeroWeights } from "../diffusion/index.ts";
import {
  editWith,
  fidelityOf,
  keyOf,
  type Prepared,
  type PreparePlan,
  prepare,
  type Scorer,
} from "../editing/index.ts";
import { type Effort, type Engine, type Kind, measureSpeed, type Speed, secondsOf } from "../runtime/index.ts";
import type { Estimate } from "./estimate.ts";
import type { PhotoTask } from "./photoTask.ts";
import type { SettingValues } from "./record.ts";

/** The part of a task after its photo is prepared. */
export type AfterPreparing = (model: Model, prepared: Prepared) => Promise<unknown>;

/** Ranks each edit above the one before it, so that the choice of a strength tries as many as it can. */
export const dryScorer: Scorer = { name: "dry run", score: async (candidates) => candidates.map((_, k) => k) };

/** Returns the edit that follows the preparation of a task. settings: resolved. */
export const oneEdit =
  (
    { method }: Pick<PhotoTask, "method">,
    settings: SettingValues,
    work: { readonly images?: readonly string[]; readonly wholeStrip?: boolean; readonly signal?: AbortSignal },
  ): AfterPreparing =>
  (model, prepared) =>
    editWith(method, model, prepared, settings, { ...work, scorer: dryScorer });

/** A measured speed, the size of the pictures that it is of, and when it was measured. */
interface Known {
  readonly speed: Speed;
  readonly size: string;
  readonly measured: number;
}

const speeds = new WeakMap<Engine, Known>();

/** A speed is measured again after so long, since other programs may begin or end. */
const SPEED_MS = 60_000;

/** Returns the speed of the programs that an effort needs. The estimates of a comparison share a measurement. */
async function speedOf(model: Model, size: Size, { arithmetic }: Effort, signal?: AbortSignal): Promise<Speed> {
  const known = speeds.get(model.engine);
  const name = `${size.width}x${size.height}`;
  const isFresh = known && known.size === name && performance.now() < known.measured + SPEED_MS;
  const before = isFresh ? known : { speed: undefined, measured: performance.now() };
  const wanted = (Object.keys(arithmetic) as Kind[]).filter((kind) => arithmetic[kind] > 0);
  const missing = wanted.filter((kind) => before.speed?.arithmetic[kind] === undefined);
  if (before.speed && missing.length === 0) return before.speed;
  const found = await measureSpeed(model.engine, speedProbe(model, size), missing, signal);
  const speed = { ...found, arithmetic: { ...before.speed?.arithmetic, ...found.arithmetic } };
  speeds.set(model.engine, { speed, size: name, measured: before.measured });
  return speed;
}

/** Copies a prepared value, with other settings, for a dry run to go on with. Its weights are zeros. */
function copied(prepared: Prepared, settings: PreparePlan["settings"]): Prepared {
  const { tensors, weights, progress } = prepared;
  const own = Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]);
  const zeros = weights && Object.entries(weights).map(([name, set]) => [name, zeroWeights(set)]);
  return {
    ...prepared,
    settings,
    tensors: Object.fromEntries(own),
    ...(zeros && { weights: Object.fromEntries(zeros) }),
    progress: { ...progress },
  };
}

/**
 * Estimates what a task will take: runs it without its networks, counts what they would do, and measures how fast the engine is.
 * Steps that the store holds cost nothing. Throws MemoryError if a task that tunes weights needs more memory than is
 * free, and the errors of the task itself.
 */
export async function estimateTask(
  task: PhotoTask,
  after: AfterPreparing = async () => undefined,
  signal?: AbortSignal,
): Promise<Estimate> {
  const { method, model, photo, plan, store } = task;
  const stored = task.prepared ?? (await store?.find(keyOf(method, plan)));
  const run = async (hollow: Model, settings: PreparePlan["settings"]): Promise<void> => {
    const resume = stored && copied(stored, settings);
    const work = { resume, where: store?.where, signal };
    const prepared =
      task.prepared && resume ? resume : await prepare(method, hollow, photo!.picture, { ...plan, settings }, work);
    await fidelityOf(method, hollow, prepared, { photo: photo?.picture }, signal);
    await after(hollow, prepared);
  };
  const what = `${method.name} at ${plan.size.width}x${plan.size.height}`;
  const checkMemory = method.needs.weightGradients
    ? (bytes: number): void => model.engine.checkMemory(bytes, what)
    : undefined;
  const slowest = { ...plan.settings, ...method.slowest };
  const mayEndEarly = JSON.stringify(slowest) !== JSON.stringify(plan.settings);
  let most: DryRun | undefined;
  const both = await dryRun(
    model.checkpoint,
    model.platform,
    async (hollow, soFar) => {
      await run(hollow, slowest);
      if (!mayEndEarly) return;
      most = soFar();
      // The losses are 0, so that tuning ends as early as it can.
      await run(hollow, plan.settings);
    },
    { checkMemory },
  );
  const { memory, effort, computed } = most ?? both;
  const speed = await speedOf(model, plan.size, effort, signal);
  const seconds = secondsOf(effort, speed);
  return { seconds: [most ? secondsOf(both.effort, speed) - seconds : seconds, seconds], memory, computed };
}
