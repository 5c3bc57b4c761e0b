import type { Waiting } from "../waiting/index.ts";

/** Most clients whose choice of a model is kept. */
const MAX_CHOICES = 10_000;

/** State that the API keeps for each client: its choice of a model, and the jobs that its requests wait for. */
export class Clients {
  private readonly choices = new Map<string, string>();
  private readonly requests = new Map<string, readonly Waiting[]>();

  model = (client: string): string | undefined => this.choices.get(client);

  /** Keeps the model that a client chose for its later requests. */
  choose(client: string, model: string): void {
    this.choices.delete(client);
    this.choices.set(client, model);
    const [oldest] = this.choices.keys();
    if (this.choices.size > MAX_CHOICES) this.choices.delete(oldest);
  }

  waiting = (client: string): readonly Waiting[] => this.requests.get(client) ?? [];

  begin(client: string, waiting: readonly Waiting[]): void {
    this.requests.set(client, [...this.waiting(client), ...waiting]);
  }

  end(client: string, ended: readonly Waiting[]): void {
    const left = this.waiting(client).filter((one) => !ended.includes(one));
    if (left.length > 0) this.requests.set(client, left);
    else this.requests.delete(client);
  }
}
