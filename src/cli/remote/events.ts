import type { Warning } from "../../core/index.ts";
import type { Method, Quality } from "../../editing/index.ts";
import { decodePhoto } from "../../image/node/index.ts";
import type { JobEvent, JobResult, JobWarning } from "../../server/index.ts";
import { enlargedPhoto, type Photo, type StrengthRecord, type TaskEvent } from "../../tasks/index.ts";
import { note } from "../print.ts";
import type { Uploads } from "./uploads.ts";

/** The edit that the events of a job belong to, and how it is shown. */
export interface EventsOf {
  readonly method: Method;
  readonly source: string;
  readonly photo: Photo;
  readonly uploads: Uploads;
  readonly isQuiet: boolean;
}

type Shared = Exclude<TaskEvent, { readonly type: "picture" | "done" }>;

/** In decibels. JSON has no infinity: null says that there is no difference. */
const decibels = (value: number | null | undefined): number | undefined =>
  value === null ? Number.POSITIVE_INFINITY : value;

/** Returns the quality of a job as the library has it. */
export const qualityOf = ({ inversion, vae, photo }: NonNullable<JobResult["quality"]>): Quality => ({
  inversion: decibels(inversion),
  vae: decibels(vae),
  photo: decibels(photo),
});

/** Returns a warning about a photo with the photo's name here. The server calls every photo "the photo". */
function warningOf({ code, message, remedies }: JobWarning, { source, photo }: EventsOf): Warning {
  if (code === "enlarged-photo") return enlargedPhoto(source, photo.how);
  const isNamed = ["unfamiliar-photo", "poor-reconstruction"].includes(code);
  return { code, message: isNamed ? message.replace("the photo", source) : message, ...(remedies && { remedies }) };
}

/** Returns an event of a job as events of the task that the job runs. Those of another kind give none. */
export async function taskEventsOf(event: JobEvent, of: EventsOf): Promise<readonly Shared[]> {
  const { method, photo, uploads, isQuiet } = of;
  if (event.type === "settings") {
    const about = photo.warnings.map((warning) => ({ type: "warning" as const, warning }));
    return [{ type: "settings", settings: uploads.settings(method, event.settings, photo) }, ...about];
  }
  if (event.type === "estimate") {
    const { seconds, memory, computed = { evaluations: 0, gradients: 0 } } = event;
    return [{ type: "estimate", estimate: { seconds, memory, computed } }];
  }
  if (event.type === "progress") return [{ type: "progress", ...event.progress }];
  if (event.type === "warning") return [{ type: "warning", warning: warningOf(event.warning, of) }];
  if (event.type === "prepared") {
    const quality = qualityOf(event.quality);
    return [{ type: "prepared", quality, ...(event.iterations !== undefined && { iterations: event.iterations }) }];
  }
  if (event.type === "chosen") return [{ type: "chosen", strength: event.strength as StrengthRecord }];
  if (event.type === "preview") {
    const bytes = Buffer.from(event.preview.slice(event.preview.indexOf(",") + 1), "base64");
    return [{ type: "preview", picture: (await decodePhoto(new Uint8Array(bytes))).picture }];
  }
  if (event.type === "position" && event.position > 0 && !isQuiet) note(waiting(event.position));
  return [];
}

const waiting = (jobs: number): string => `Waiting for ${jobs} other job${jobs === 1 ? "" : "s"} of the server.`;

/** Tells if an event is the first of its kind. A job that a second worker takes over says again what the first one said. */
export function firstOfKind(): (event: JobEvent) => boolean {
  const said = new Set<string>();
  return (event) => {
    if (!["settings", "estimate", "prepared", "chosen"].includes(event.type)) return true;
    const kind = `${event.type} ${"method" in event ? event.method : ""}`;
    const isFirst = !said.has(kind);
    said.add(kind);
    return isFirst;
  };
}
