import type { EditRequest, Job, MadePicture } from "../../../src/server/api/index.ts";

/** An edit on the strip from "as the photo" (keep 1) to "as the prompt" (keep 0). */
export interface StripPoint {
  readonly keep: number;
  /** Named "keep 0.5", or as in its job if it is of the job itself. */
  readonly made: MadePicture;
  /** True for the edit that was chosen automatically. */
  readonly isChosen: boolean;
}

/** Nearer edits are one point: a slider moves in steps of 0.01. */
const same = 0.005;

/** Returns the request without what its edits on the strip may differ in. */
function baseOf(request: EditRequest): string {
  const { photo, target, source, model, size, fit, method, preset, options } = request;
  const { keep: _keep, strength: _strength, ...others } = options;
  const sorted = Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([photo, target, source, model, size, fit, method, preset, sorted]);
}

const share = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** Returns the points of one job: its strip, and its edit if its share is known. */
function pointsOf({ request, result }: Job): StripPoint[] {
  if (request.kind !== "edit" || !result) return [];
  const edit = result.pictures.find(({ name }) => name === "edit");
  const chosen = share(result.strength?.keep);
  const keep = share(request.options.keep) ?? chosen;
  const strip = (result.strip ?? []).flatMap((made) =>
    made.keep === undefined ? [] : [{ keep: made.keep, made, isChosen: false }],
  );
  if (!edit || keep === undefined) return strip;
  return [{ keep, made: edit, isChosen: chosen !== undefined }, ...strip];
}

/** Lists the edits that a strip can show: those of the job and of jobs that differ in the strength alone, most kept first. */
export function stripPoints(job: Job, others: Iterable<Job>): StripPoint[] {
  if (job.request.kind !== "edit") return [];
  const base = baseOf(job.request);
  const points = pointsOf(job);
  for (const other of others) {
    if (other.id === job.id || other.request.kind !== "edit" || baseOf(other.request) !== base) continue;
    points.push(...pointsOf(other).map((point) => ({ ...point, made: { ...point.made, name: `keep ${point.keep}` } })));
  }
  const different = points.filter(
    ({ keep }, at) => points.findIndex((point) => Math.abs(point.keep - keep) < same) === at,
  );
  return different.sort((a, b) => b.keep - a.keep);
}

/** Returns the point nearest to a share. */
export function nearest(points: readonly StripPoint[], keep: number): StripPoint | undefined {
  const distance = (point: StripPoint): number => Math.abs(point.keep - keep);
  return points.reduce<StripPoint | undefined>(
    (best, point) => (!best || distance(point) < distance(best) ? point : best),
    undefined,
  );
}

/** Tells if an edit of this share was made. */
export const isMade = (points: readonly StripPoint[], keep: number): boolean => {
  const point = nearest(points, keep);
  return point !== undefined && Math.abs(point.keep - keep) < same;
};

/** Returns the request for an edit at another share. */
export function requestAt(request: EditRequest, keep: number): EditRequest {
  const { strength: _, ...options } = request.options;
  return { ...request, options: { ...options, keep }, strip: false };
}
