import { CancelledError, ImageError, type Work } from "../../core/index.ts";
import { formatOfName } from "../../image/index.ts";
import { convertPicture } from "../../image/node/index.ts";
import { type Job, type JobEvent, type ServerClient, typedError } from "../../server/index.ts";
import { readRegular, storageError, writeFileAtomic } from "../../storage/node/index.ts";
import { openClient, readyCapabilities } from "../remote/index.ts";
import type { Edited, EditInput, Editor } from "./editor.ts";

export interface RemoteOptions {
  readonly server: string;
  readonly token?: string;
  /** Name of one of the server's models. Default: its first one. */
  readonly model?: string;
  /** "256x256". Default: the model's. */
  readonly size?: string;
}

/** Lets a running `baret serve` edit. */
export class RemoteEditor implements Editor {
  private readonly client: ServerClient;
  private readonly options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.options = options;
    this.client = openClient(options);
  }

  async edit(input: EditInput, { onProgress, signal }: Required<Work>): Promise<Edited> {
    let job: Job | undefined;
    try {
      job = await this.submit(input, signal);
      const result = await this.resultOf(job, onProgress, signal);
      const made = result.pictures.find(({ name }) => name === "edit");
      if (!made) throw new ImageError("the server made no edit", { where: this.options.server });
      const png = await this.client.picture(made.picture.id, signal);
      const format = formatOfName(input.output) ?? "png";
      await writeFileAtomic(input.output, format === "png" ? png : (await convertPicture(png, { format })).bytes);
      return { settings: result.settings, warnings: result.warnings.map(({ message }) => message) };
    } catch (error) {
      if (!signal.aborted) throw error;
      // The edit may have ended meanwhile, or the server may be gone: there is nothing more to do then.
      if (job) await this.client.cancel(job.id).catch(() => undefined);
      throw new CancelledError("the edit", error);
    }
  }

  private async submit({ photo, prompt, method, source, fit, options }: EditInput, signal: AbortSignal): Promise<Job> {
    const { limits } = await readyCapabilities(this.client, signal);
    const bytes = await readRegular(photo, limits.photoBytes).catch((cause: unknown) => {
      throw storageError("cannot be read", photo, cause);
    });
    const { id } = await this.client.addPhoto(new Uint8Array(bytes), { signal });
    const { preset, ...own } = options;
    const { model, size } = this.options;
    return this.client.submit(
      {
        ...{ kind: "edit", photo: id, target: prompt, source, model, size, fit, method, options: own },
        ...(preset !== undefined && { preset: String(preset) }),
      },
      signal,
    );
  }

  private async resultOf({ id }: Job, onProgress: Required<Work>["onProgress"], signal: AbortSignal) {
    let last: Extract<JobEvent, { type: "state" }> | undefined;
    for await (const event of this.client.events(id, signal)) {
      if (event.type === "progress") onProgress(event.progress);
      if (event.type === "state") last = event;
    }
    if (last?.result) return last.result;
    if (last?.error) throw typedError(last.error);
    throw new CancelledError("the job on the server");
  }

  async close(): Promise<void> {}
}
