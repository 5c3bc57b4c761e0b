import { type News, type PageQueue, PageService, type PageServiceParts } from "../page/index.ts";
import type { ChosenModel, ChosenModels, ChosenPlace, ModelOnDisk } from "./chosen/index.ts";

export interface SiteServiceParts extends PageServiceParts {
  readonly chosen: ChosenModels;
}

/** The service of a page in a browser: as `PageService`, with models that the person chooses on their disk. */
export class SiteService extends PageService {
  private readonly chosen: ChosenModels;
  private readonly queue: PageQueue;
  private readonly hearers = new Set<(news: News) => void>();

  constructor({ chosen, ...parts }: SiteServiceParts) {
    super(parts);
    this.chosen = chosen;
    this.queue = parts.queue;
  }

  override listen(hear: (news: News) => void): void {
    super.listen(hear);
    this.hearers.add(hear);
  }

  /** Finds out what was chosen and what it needs, and returns a name for `addModel`. Throws CheckpointError. */
  inspectModel(place: ChosenPlace): Promise<{ readonly id: string; readonly facts: ModelOnDisk }> {
    return this.chosen.inspect(place);
  }

  /** Adds what was inspected to the models, and returns its name. Throws MemoryError, CancelledError, CheckpointError. */
  async addModel(id: string): Promise<string> {
    const name = await this.chosen.add(id, ({ done, total }) => this.tell({ news: "reading", id, done, total }));
    this.changed();
    return name;
  }

  /** Forgets what was inspected, and stops adding it. */
  async dropModel(id: string): Promise<void> {
    this.chosen.drop(id);
  }

  /** Lists the chosen models, also those that must be opened again. */
  async chosenModels(): Promise<readonly ChosenModel[]> {
    return this.chosen.list();
  }

  /** Opens a model of an earlier visit, which the page may read again, or at another place. Its jobs go on. Throws CheckpointError. */
  async reopenModel(name: string, place?: ChosenPlace): Promise<void> {
    await this.chosen.reopen(name, place);
    this.changed();
  }

  /** Forgets a model, and cancels its jobs that wait. Its files stay. */
  async forgetModel(name: string): Promise<void> {
    const waiting = this.queue.list({ states: ["queued", "running"] }).filter(({ request }) => request.model === name);
    for (const { id } of waiting) await this.queue.cancel(id);
    await this.chosen.forget(name);
    this.changed();
  }

  private changed(): void {
    this.queue.lookAgain();
    this.tell({ news: "models" });
  }

  private tell(news: News): void {
    for (const hear of this.hearers) hear(news);
  }
}

/** What a page asks the service for. */
export type SiteCalls = Pick<
  SiteService,
  | Exclude<keyof PageService, "listen" | "keepRoom">
  | "inspectModel"
  | "addModel"
  | "dropModel"
  | "chosenModels"
  | "reopenModel"
  | "forgetModel"
>;
