/** The program of the page's worker: it has the service, or asks the tab that has it, and reads pictures. */
import { NotFoundError } from "../errors.ts";
import { type Answer, answerTo, type Call, failureOf, type News } from "../page/index.ts";
import type { OwnCalls, WorkerCalls } from "./messages.ts";
import { thumbnail } from "./pictures.ts";
import type { SiteCalls } from "./siteService.ts";
import { openBlobs, startService } from "./startService.ts";
import { Tabs } from "./tabs.ts";

/** The scope of a worker, as far as it is used here. */
const scope = globalThis as unknown as {
  readonly name: string;
  onmessage: ((event: MessageEvent<Call<WorkerCalls>>) => void) | null;
  postMessage(message: Answer | News): void;
};

/** URL of the page, which starts this worker under it as its name. */
const site = scope.name;

/** Calls that every tab answers by itself. */
const own: OwnCalls = {
  async picture(id, side) {
    const file = await (await openBlobs(site)).file(id);
    if (!file) throw new NotFoundError("there is no such picture", { where: "picture", found: id });
    return side === undefined ? file.slice(0, file.size, "image/png") : thumbnail(file, side);
  },
};

const tabs = new Tabs(
  site,
  () => startService(site),
  (news) => scope.postMessage(news),
);
/** Why the service cannot be started, if it cannot. */
let failed: unknown;
tabs.lead().catch((error: unknown) => {
  failed = error;
  tabs.fail(error);
});

const isOwn = (call: Call<WorkerCalls>): call is Call<OwnCalls> => Object.hasOwn(own, call.method);

scope.onmessage = async ({ data: call }) => {
  if (isOwn(call)) scope.postMessage(await answerTo(own, call));
  else if (failed) scope.postMessage({ id: call.id, failure: failureOf(failed) });
  else scope.postMessage(await tabs.ask(call as Call<SiteCalls>));
};
