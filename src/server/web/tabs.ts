import { type Answer, answerTo, type Call, failureOf, type News } from "../page/index.ts";
import type { SiteCalls, SiteService } from "./siteService.ts";

/** Messages between the tabs of one browser. tab: the one that asks. */
type Said =
  | { readonly type: "call"; readonly tab: string; readonly call: Call<SiteCalls> }
  | { readonly type: "answer"; readonly tab: string; readonly answer: Answer }
  | { readonly type: "news"; readonly news: News }
  /** A tab computes from now on, and takes calls. */
  | { readonly type: "leading" };

/**
 * One service for all tabs of a browser. The first tab computes, and answers the calls of the others; they hear of the same
 * events. If it is closed, another one takes over, and calls that wait are made again.
 */
export class Tabs {
  private readonly tab = crypto.randomUUID();
  /** Name of the lock that the tab that computes holds as long as it is open, and of the channel between tabs. */
  private readonly name: string;
  private readonly channel: BroadcastChannel;
  private readonly start: () => Promise<SiteService>;
  private readonly tell: (news: News) => void;
  private readonly waiting = new Map<
    number,
    { readonly call: Call<SiteCalls>; readonly resolve: (answer: Answer) => void }
  >();
  private own: SiteService | undefined;

  /** site: URL of the page, since sites of one host share channels. start: starts the service, in the tab that computes. tell: called with news. */
  constructor(site: string, start: () => Promise<SiteService>, tell: (news: News) => void) {
    this.name = `baret ${site}`;
    this.channel = new BroadcastChannel(this.name);
    this.start = start;
    this.tell = tell;
    this.channel.addEventListener("message", ({ data }: MessageEvent<Said>) => this.hear(data));
  }

  /** Waits to be the tab that computes, and then is it for ever. Rejects if the service cannot be started. */
  async lead(): Promise<never> {
    const isFirst = await navigator.locks.request(this.name, { ifAvailable: true }, async (lock) => lock !== null);
    if (!isFirst) this.tell({ news: "place", isHere: false });
    return navigator.locks.request(this.name, async (): Promise<never> => {
      const service = await this.start();
      service.listen((news) => {
        this.tell(news);
        this.channel.postMessage({ type: "news", news } satisfies Said);
      });
      this.own = service;
      this.tell({ news: "place", isHere: true });
      this.channel.postMessage({ type: "leading" } satisfies Said);
      for (const { call, resolve } of this.waiting.values()) void answerTo<SiteCalls>(service, call).then(resolve);
      return new Promise<never>(() => undefined);
    });
  }

  /** Does a call here, or lets the tab that computes do it. */
  ask(call: Call<SiteCalls>): Promise<Answer> {
    if (this.own) return answerTo<SiteCalls>(this.own, call);
    return new Promise((resolve) => {
      const done = (answer: Answer): void => {
        this.waiting.delete(call.id);
        resolve(answer);
      };
      this.waiting.set(call.id, { call, resolve: done });
      this.send(call);
    });
  }

  /** Answers all calls that wait with an error, since the service cannot be started. */
  fail(error: unknown): void {
    for (const { call, resolve } of this.waiting.values()) resolve({ id: call.id, failure: failureOf(error) });
  }

  private send(call: Call<SiteCalls>): void {
    this.channel.postMessage({ type: "call", tab: this.tab, call } satisfies Said);
  }

  private hear(said: Said): void {
    if (said.type === "leading") {
      for (const { call } of this.waiting.values()) this.send(call);
      this.tell({ news: "place", isHere: false });
    } else if (said.type === "news") this.tell(said.news);
    else if (said.type === "answer") {
      if (said.tab === this.tab) this.waiting.get(said.answer.id)?.resolve(said.answer);
    } else if (this.own) {
      const { tab, call } = said;
      void answerTo<SiteCalls>(this.own, call).then((answer) =>
        this.channel.postMessage({ type: "answer", tab, answer } satisfies Said),
      );
    }
  }
}
