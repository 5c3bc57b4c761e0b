import type { JobEvent, JobId } from "../../../src/server/api/index.ts";
import { hasEnded } from "../../../src/server/api/states.ts";
import type { Backend } from "../backend.ts";
import type { Calls } from "./calls.ts";
import { chooseModel } from "./models.ts";

const isEnd = (event: JobEvent): boolean => event.type === "state" && hasEnded(event.state);

/** Jobs that a closed page has deleted. Its worker ended with it, so the next page forgets them. */
const leftKey = "baret-deleted";
const readLeft = (): JobId[] => JSON.parse(localStorage.getItem(leftKey) ?? "[]");

/** Forgets the jobs that a closed page has deleted. If that fails, the next page tries again. */
async function removeLeft(calls: Calls): Promise<void> {
  const ids = readLeft();
  if (ids.length === 0) return;
  await calls.ask("remove", ids);
  localStorage.removeItem(leftKey);
}

/** Does the studio's work in this browser: a worker of the page has the queue, the pictures and the model. */
export function localBackend(calls: Calls): Backend {
  const tidied = removeLeft(calls).catch(() => undefined);
  return backendOf(calls, tidied);
}

const backendOf = (calls: Calls, tidied: Promise<void>): Backend => ({
  place: "browser",
  chooseModel,
  capabilities: () => calls.ask("capabilities"),
  addPhoto: (file) => calls.ask("addPhoto", file),
  submit: (request) => calls.ask("submit", request),
  job: (id) => calls.ask("job", id),
  jobs: (query) => tidied.then(() => calls.ask("jobs", query)),
  cancel: (id) => calls.ask("cancel", id),
  cancelAll: () => calls.ask("cancelAll"),
  remove: (ids) => calls.ask("remove", ids),
  removeLeaving(ids) {
    localStorage.setItem(leftKey, JSON.stringify([...readLeft(), ...ids]));
    // The worker goes on if the browser keeps the page, to show it again.
    removeLeft(calls).catch(() => undefined);
  },
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
