import { z } from "zod";
import {
  aFunction,
  cancelledAs,
  checkArguments,
  type Picture,
  someText,
  type Warning,
  type Work,
  workFields,
} from "../core/index.ts";
import { aModel, type Model } from "../diffusion/index.ts";
import { inversionsOnly, methodNamed, type PreparedStore, TrajectoryCache } from "../editing/index.ts";
import { captionsOf } from "./captions.ts";
import { openClip } from "./clip.ts";
import { type ComparedEdit, comparisonSheet, type LeftOut, methodsToCompare, splitOptions } from "./compare.ts";
import { compareTask, planComparison } from "./compareTask.ts";
import { makerOf } from "./maker.ts";
import { openPhoto, type PhotoInput } from "./photo.ts";
import { aPhoto, type CommonPhotoOptions, cacheOption, photoFields } from "./photoOptions.ts";
import type { SettingValues } from "./record.ts";

/** Prompts, methods and options of a comparison. */
export interface CompareOptions extends CommonPhotoOptions {
  /** Names of the methods, or ["all"]. Default: all for which the inputs suffice, except those that tune weights. */
  methods?: readonly string[];
  /** Options of `prepare` and `edit`, and `preset`, by the names of the methods. */
  options?: Readonly<Record<string, SettingValues>>;
  /** Name or folder of a CLIP model that scores the edits. Default: the model's judge, if it has one. */
  clip?: string;
}

export interface CompareApiWork extends Work {
  /** Called and awaited with each method's edit as soon as it is finished or has failed. */
  onEdit?: (edit: ComparedEdit) => Promise<void>;
}

/** A finished comparison. */
export interface CompareResult {
  /** The edit of each method, made or failed, in the order of the methods. */
  readonly edits: readonly ComparedEdit[];
  /** Methods that did not take part. */
  readonly leftOut: readonly LeftOut[];
  /** The photo and the finished edits with labels. */
  readonly sheet: Picture;
  readonly warnings: readonly Warning[];
}

const compareFields = {
  ...photoFields,
  methods: z.array(someText).optional(),
  options: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  clip: someText.optional(),
};
const workArguments = z.strictObject({ ...workFields, onEdit: aFunction.optional() });

/** Edits one photo with several methods. */
export type Compare = (
  model: Model,
  photo: PhotoInput,
  given: CompareOptions,
  work?: CompareApiWork,
) => Promise<CompareResult>;

/** Returns the function `compare` for callers of the library. usual: makes the store of prepared photos if no other is given. */
export function comparing(usual: () => PreparedStore): Compare {
  const stores = cacheOption(usual);
  const options = z.strictObject({ ...compareFields, ...stores.fields });
  const compareArguments = z.object({ model: aModel, photo: aPhoto, options, work: workArguments });
  return (model, photo, given, work = {}) => {
    checkArguments("compare", compareArguments, { model, photo, options: given, work });
    const store = stores.storeOf(given) ?? inversionsOnly(new TrajectoryCache());
    return compareWith(model, photo, given, store, work);
  };
}

async function compareWith(
  model: Model,
  photo: PhotoInput,
  given: CompareOptions,
  store: PreparedStore,
  work: CompareApiWork,
): Promise<CompareResult> {
  const { target, source: caption, methods, options = {}, size, fit, clip: named } = given;
  const { chosen, leftOut } = methodsToCompare(methods, caption);
  for (const name of Object.keys(options)) methodNamed(name);
  const { onProgress, onEdit, signal } = work;
  model.programs.requireOpen();
  return cancelledAs("the comparison", signal, async () => {
    const opened = await openPhoto(model, photo, { size, fit });
    const [captioned] = await captionsOf(chosen, model, [opened], caption, { signal });
    const planned = await planComparison(
      {
        ...captioned,
        model,
        maker: await makerOf(model, {}, { signal }),
        photo: opened,
        target,
        methods: chosen.map((method) => ({ method, options: splitOptions(method, options[method.name] ?? {}) })),
        store,
      },
      signal,
    );
    const clip = await openClip(model, named, { signal });
    try {
      const edits: ComparedEdit[] = [];
      const warnings = new Map<string, Warning>();
      for await (const event of compareTask(planned, { clip, signal })) {
        if (event.type === "progress") onProgress?.(event);
        else if (event.type === "warning") warnings.set(event.warning.message, event.warning);
        else if (event.type === "compared") {
          edits.push(event.edit);
          await onEdit?.(event.edit);
        }
      }
      const sheet = comparisonSheet({ picture: opened.picture, label: `${opened.name}\n${target}` }, edits);
      return { edits, leftOut, sheet, warnings: [...warnings.values()] };
    } finally {
      await clip?.release();
    }
  });
}
