import type { JobEvent } from "../../../src/server/api/index.ts";
import { hasEnded } from "../../../src/server/api/states.ts";
import type { Backend } from "../backend.ts";
import type { Calls } from "./calls.ts";

const isEnd = (event: JobEvent): boolean => event.type === "state" && hasEnded(event.state);

/** Does the studio's work in this browser: a worker of the page has the queue, the pictures and the model. */
export const localBackend = (calls: Calls): Backend => ({
  place: "browser",
  capabilities: () => calls.ask("capabilities"),
  addPhoto: (file) => calls.ask("addPhoto", file),
  submit: (request) => calls.ask("submit", request),
  job: (id) => calls.ask("job", id),
  jobs: (query) => calls.ask("jobs", query),
  cancel: (id) => calls.ask("cancel", id),
  cancelAll: () => calls.ask("cancelAll"),
  remove: (id) => calls.ask("remove", id),
  picture: (id) => calls.ask("picture", id),
  pictureUrl: async (id, side) => URL.createObjectURL(await calls.ask("picture", id, side)),
  async follow(id, onEvent, signal) {
    let last = 0;
    const show = (event: JobEvent): boolean => {
      // What is told while the events so far are read comes twice.
      if ("seq" in event && event.seq <= last) return false;
      if ("seq" in event) last = event.seq;
      onEvent(event);
      return isEnd(event);
    };
    let leave = (): void => undefined;
    const ended = new Promise<void>((resolve, reject) => {
      const ask = (): void => {
        calls.ask("events", id).then((events) => {
          if (events.map(show).some(Boolean)) resolve();
        }, reject);
      };
      leave = calls.listen((news) => {
        if (news.news === "event" && news.job === id && show(news.event)) resolve();
        // Another tab computes from now on. What it has told meanwhile is asked for.
        if (news.news === "place") ask();
      });
      signal.addEventListener("abort", () => resolve(), { once: true });
      ask();
    });
    await ended.finally(leave);
  },
});
