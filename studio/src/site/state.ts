import { signal } from "@preact/signals";
import type { DownloadNews } from "../../../src/server/page/news.ts";
import type { RoomFacts } from "../../../src/server/page/pageService.ts";
import { askToPersist } from "../../../src/storage/web/opfs.ts";
import { jobs, syncNow } from "../state/index.ts";
import type { Calls } from "./calls.ts";
import { keepEngine } from "./offline.ts";

/** How much of the model has arrived, and since when. Undefined: nothing is known yet. */
export const download = signal<(DownloadNews & { readonly began: number; readonly had: number }) | undefined>(
  undefined,
);
/** True if another tab computes. */
export const isElsewhere = signal(false);
/** Room that the page takes in this browser. Undefined until it is known. */
export const room = signal<RoomFacts | undefined>(undefined);

/** Keeps the signals as the worker tells, for ever. */
export function watchWorker(calls: Calls): void {
  const readRoom = (): void => {
    calls.ask("storage").then(
      (facts) => {
        room.value = facts;
        showDownload(facts.download);
      },
      // It is asked for again after the next edit.
      () => undefined,
    );
  };
  const showDownload = (news: DownloadNews): void => {
    const { began, had } = download.value ?? { began: performance.now(), had: news.done };
    if (news.total > 0 && news.done === news.total && download.value?.done !== news.total) keepEngine();
    download.value = { ...news, began, had };
  };
  calls.listen((news) => {
    if (news.news === "download") showDownload(news);
    else if (news.news === "place") {
      isElsewhere.value = !news.isHere;
      readRoom();
    } else if (news.news === "event" && news.event.type === "state") {
      // Another tab may have added the job.
      syncNow();
      if (news.event.state !== "done") return;
      readRoom();
      // The first edit is worth keeping.
      askToPersist().catch(() => undefined);
    }
  });
  readRoom();
  // A job that was deleted frees room.
  let known = 0;
  jobs.subscribe((all) => {
    if (all.size < known) readRoom();
    known = all.size;
  });
}
