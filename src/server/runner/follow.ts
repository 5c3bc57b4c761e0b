import type { TaskEvent, TaskResult } from "../../tasks/index.ts";
import type { JobWork } from "./work.ts";
import { qualityOf, requestValues, warningOf } from "./work.ts";

/** Shortest time between two previews, and between two reports of progress. */
const [PREVIEW_MS, PROGRESS_MS] = [500, 250];

type Shared = Extract<
  TaskEvent,
  { readonly type: "settings" | "estimate" | "progress" | "warning" | "prepared" | "chosen" | "preview" }
>;

/** Returns a function that reports the events which all tasks share. isReused: the photo of the method was prepared already. */
export function follower({ emit, place }: JobWork, isReused: (method?: string) => boolean) {
  let previewAt = Number.NEGATIVE_INFINITY;
  let progressAt = Number.NEGATIVE_INFINITY;
  return async (event: Shared, method?: string): Promise<void> => {
    const now = performance.now();
    const named = method === undefined ? {} : { method };
    if (event.type === "settings") emit({ type: "settings", settings: requestValues(event.settings), ...named });
    else if (event.type === "estimate") {
      const { seconds, memory, computed } = event.estimate;
      const { evaluations, gradients } = computed;
      emit({ type: "estimate", seconds: [...seconds], memory, computed: { evaluations, gradients }, ...named });
    } else if (event.type === "progress") {
      const { type, ...progress } = event;
      const { done, total } = progress;
      if (now < progressAt + PROGRESS_MS && done < total) return;
      progressAt = now;
      emit({ type, progress: { ...progress, ...named } });
    } else if (event.type === "warning") emit({ type: "warning", warning: { ...warningOf(event.warning), ...named } });
    else if (event.type === "prepared") {
      const { quality, iterations } = event;
      const tuned = iterations === undefined ? {} : { iterations };
      emit({ type: "prepared", quality: qualityOf(quality), reused: isReused(method), ...tuned });
    } else if (event.type === "chosen") emit({ type: "chosen", strength: { ...event.strength } });
    else if (now >= previewAt + PREVIEW_MS) {
      previewAt = now;
      emit({ type: "preview", preview: await place.encodePreview(event.picture) });
    }
  };
}

/** Runs a task: reports its events and returns its result. onPicture: called with each picture of a sweep. */
export async function followTask(
  work: JobWork,
  events: AsyncIterable<TaskEvent>,
  isReused: boolean,
  onPicture?: (event: Extract<TaskEvent, { readonly type: "picture" }>) => Promise<void>,
): Promise<TaskResult> {
  const follow = follower(work, () => isReused);
  let result: TaskResult | undefined;
  for await (const event of events) {
    if (event.type === "done") result = event.result;
    else if (event.type === "picture") await onPicture?.(event);
    else await follow(event);
  }
  return result!;
}
