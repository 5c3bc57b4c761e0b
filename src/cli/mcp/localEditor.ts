import { orCancelled, type Work } from "../../core/index.ts";
import type { Model } from "../../diffusion/index.ts";
import { loadModel } from "../../diffusion/node/index.ts";
import { methodNamed, methods } from "../../editing/index.ts";
import { PreparedCache } from "../../editing/node/index.ts";
import { engineChoice } from "../../runtime/index.ts";
import {
  captionsOf,
  editTask,
  finishedPicture,
  openPhoto,
  planEdit,
  planPhoto,
  splitOptions,
  type TaskResult,
} from "../../tasks/index.ts";
import { writePicture } from "../../tasks/node/index.ts";
import { type ModelFlags, makerOf } from "../model.ts";
import type { Edited, EditInput, Editor } from "./editor.ts";

/** Edits in this process, one after the other. The model is loaded for the first edit and stays loaded. */
export class LocalEditor implements Editor {
  private readonly flags: ModelFlags;
  private model: Promise<Model> | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(flags: ModelFlags) {
    this.flags = flags;
  }

  async edit(input: EditInput, work: Required<Work>): Promise<Edited> {
    const before = this.last;
    const own = (async () => {
      await orCancelled(before, work.signal, "the edit");
      return this.editAlone(input, work);
    })();
    // The next edit begins when this one and those before it have ended, also if this one is cancelled while it waits.
    this.last = Promise.allSettled([before, own]);
    return own;
  }

  private async editAlone(input: EditInput, work: Required<Work>): Promise<Edited> {
    const { photo: path, prompt: target, output, source: caption, fit, options } = input;
    const model = await this.loaded(work);
    const method = methodNamed(input.method ?? methods()[0].name);
    const { prepare, edit, preset } = splitOptions(method, options);
    const photo = await openPhoto(model, path, { size: this.flags.size, fit });
    const [{ source, warnings }] = await captionsOf([method], model, [photo], caption, work);
    const facts = { method, model, source: path, photo, store: new PreparedCache(), warnings };
    const task = await planPhoto(facts, { target, source, preset, options: prepare }, work);
    const planned = await planEdit(task, await makerOf(this.flags, model, work), edit, true);
    const told: string[] = [];
    let result: TaskResult | undefined;
    for await (const event of editTask(planned, { signal: work.signal })) {
      if (event.type === "progress") work.onProgress(event);
      else if (event.type === "warning") told.push(event.warning.message);
      else if (event.type === "done") result = event.result;
    }
    const { images, record } = result!;
    const { picture, alpha } = await finishedPicture(photo, images.edit);
    await writePicture(output, picture, { ...record, image: "edit" }, { alpha });
    return { settings: record.settings, warnings: told };
  }

  /** Loads the model, once. If that fails or is cancelled, the next edit tries again. */
  private async loaded({ signal }: Work): Promise<Model> {
    const { model: name, prediction, variant } = this.flags;
    this.model ??= loadModel(name, { prediction, variant, ...engineChoice(this.flags), signal });
    try {
      return await this.model;
    } catch (error) {
      this.model = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    // Edits that were cancelled end first, since they use the model.
    await this.last;
    await (await this.model)?.close();
  }
}
