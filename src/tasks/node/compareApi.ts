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
} from "../../core/index.ts";
import { aModel, type Model } from "../../diffusion/index.ts";
import { inversionsOnly, methodNamed, TrajectoryCache } from "../../editing/index.ts";
import { PreparedCache } from "../../editing/node/index.ts";
import {
  type ComparedEdit,
  comparisonSheet,
  type LeftOut,
  methodsToCompare,
  type SettingValues,
  splitOptions,
} from "../index.ts";
import { captionsOf } from "./captions.ts";
import { openClip } from "./clip.ts";
import { compareTask, planComparison } from "./compare.ts";
import { makerOf } from "./maker.ts";
import { openPhoto, type PhotoInput } from "./photo.ts";
import { aPhoto, type CommonPhotoOptions, commonFields } from "./photoOptions.ts";

/** Prompts, methods and options of a comparison. */
export interface CompareOptions extends CommonPhotoOptions {
  /** Names of the methods. Default: all for which the inputs suffice. */
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

const compareArguments = z.object({
  model: aModel,
  photo: aPhoto,
  options: z.strictObject({
    ...commonFields,
    methods: z.array(someText).optional(),
    options: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
    clip: someText.optional(),
  }),
  work: z.strictObject({ ...workFields, onEdit: aFunction.optional() }),
});

/**
 * Edits one photo with several methods, which share what they have in common. A method that fails does not end the others:
 * its edit has an `error`. Throws UsageError that lists the wrong options of all methods, ImageError, CheckpointError if the
 * CLIP model is missing or broken, CancelledError.
 */
export async function compare(
  model: Model,
  photo: PhotoInput,
  given: CompareOptions,
  work: CompareApiWork = {},
): Promise<CompareResult> {
  checkArguments("compare", compareArguments, { model, photo, options: given, work });
  const { target, source: caption, methods, options = {}, size, fit, cache = new PreparedCache(), clip: named } = given;
  const { chosen, leftOut } = methodsToCompare(methods, caption);
  for (const name of Object.keys(options)) methodNamed(name);
  const { onProgress, onEdit, signal } = work;
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
        store: cache || inversionsOnly(new TrajectoryCache()),
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
