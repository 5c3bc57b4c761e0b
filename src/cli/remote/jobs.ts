import { CancelledError } from "../../core/index.ts";
import {
  BusyError,
  hasEnded,
  type Job,
  type JobEvent,
  type JobRequestInput,
  type JobResult,
  NotReadyError,
  pause,
  type ServerClient,
  typedError,
} from "../../server/index.ts";
import type { Session } from "./session.ts";

/** Most jobs that wait on the server at once, so that other clients and the limits of the server have room. */
const AHEAD = 8;

type JobsSession = Pick<Session, "client" | "tell"> & { readonly work: Pick<Session["work"], "signal"> };

/** The jobs of one command on a server: a few are submitted ahead, and all that have not ended are cancelled at the end. */
export class RemoteJobs {
  private readonly client: ServerClient;
  private readonly requests: readonly JobRequestInput[];
  private readonly signal: AbortSignal;
  private readonly tell: (text: string) => void;
  private readonly submitted: Job[] = [];
  private readonly open = new Set<string>();

  constructor({ client, work, tell }: JobsSession, requests: readonly JobRequestInput[]) {
    this.client = client;
    this.requests = requests;
    this.signal = work.signal;
    this.tell = tell;
  }

  /** Yields the events of a job until its result, which it returns. Throws the job's error, or CancelledError after Ctrl-C. */
  async *run(index: number): AsyncGenerator<JobEvent, JobResult> {
    try {
      return yield* this.follow(index);
    } catch (error) {
      if (!this.signal.aborted) throw error;
      throw new CancelledError("the edit", error);
    }
  }

  private async *follow(index: number): AsyncGenerator<JobEvent, JobResult> {
    while (this.submitted.length < Math.min(this.requests.length, index + AHEAD)) {
      // The first one must get in. Later ones can wait until it has ended.
      const job = await this.submit(this.requests[this.submitted.length], this.submitted.length === index);
      if (!job) break;
      this.submitted.push(job);
      if (!hasEnded(job.state)) this.open.add(job.id);
    }
    const { id } = this.submitted[index];
    for await (const event of this.client.events(id, this.signal)) {
      if (event.type === "state" && hasEnded(event.state)) {
        this.open.delete(id);
        if (event.state === "failed")
          throw typedError(event.error ?? { code: "unexpected", message: "the job failed" });
        if (event.state === "cancelled") throw new CancelledError("the job");
      }
      yield event;
    }
    const { result } = await this.client.job(id);
    return result!;
  }

  /** Cancels the jobs that have not ended. A server that is gone cannot be told. */
  async close(): Promise<void> {
    await Promise.all([...this.open].map((id) => this.client.cancel(id).catch(() => undefined)));
  }

  /** Submits a job. insists: waits as long as the server is full; else returns undefined if it is. */
  private async submit(request: JobRequestInput, insists: boolean): Promise<Job | undefined> {
    for (;;) {
      try {
        return await this.client.submit(request, this.signal);
      } catch (error) {
        if (!(error instanceof BusyError || error instanceof NotReadyError)) throw error;
        if (!insists) return undefined;
        const [reason] = error.message.split("\n");
        this.tell(`The server takes no job now: ${reason} Trying again in ${error.retryAfter} s.`);
        await pause(error.retryAfter * 1000, this.signal);
      }
    }
  }
}
