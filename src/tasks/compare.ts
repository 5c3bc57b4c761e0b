import { few, listed, type Picture, UsageError } from "../core/index.ts";
import {
  type Method,
  methodNamed,
  methods,
  methodsWithoutCaption,
  optionNames,
  schemaOf,
  type Verb,
} from "../editing/index.ts";
import { type AlphaChannel, type Cell, contactSheet } from "../image/index.ts";
import type { Costs } from "./cost.ts";
import type { Estimate } from "./estimate.ts";
import type { TaskEvent } from "./event.ts";
import type { EditRecord, SettingValues } from "./record.ts";

/** One method's finished edit. */
export interface MadeEdit {
  readonly method: string;
  /** Record for its file, with its costs. */
  readonly record: EditRecord;
  /** As it is written: at the photo's own size if the photo's fit asks for it. */
  readonly picture: Picture;
  readonly alpha?: AlphaChannel;
  readonly costs: Costs;
  /** Made before the edit. Absent if none was asked for. */
  readonly estimate?: Estimate;
  /** PSNR to the photo in dB, Infinity if there is no difference. */
  readonly psnr: number;
  /** CLIPScore with the target prompt. Absent without a CLIP model. */
  readonly clipScore?: number;
  /** True if it was read from the file of an earlier run. Its costs are those of that run. */
  readonly isReused: boolean;
}

/** One method's edit that failed. */
export interface FailedEdit {
  readonly method: string;
  readonly settings: SettingValues;
  readonly error: Error;
}

/** The edit of one method in a comparison. */
export type ComparedEdit = MadeEdit | FailedEdit;

export const isMade = (edit: ComparedEdit): edit is MadeEdit => "picture" in edit;

/** Event of a running comparison. */
export type CompareEvent =
  /** A method's edit begins. */
  | { readonly type: "method"; readonly method: string; readonly index: number; readonly count: number }
  | Extract<TaskEvent, { readonly type: "settings" | "estimate" | "progress" | "warning" | "prepared" | "chosen" }>
  /** A method's edit is finished or has failed. */
  | { readonly type: "compared"; readonly edit: ComparedEdit }
  /** All methods are finished. */
  | { readonly type: "done"; readonly edits: readonly ComparedEdit[] };

/** A method that does not take part, and the reason. */
export interface LeftOut {
  readonly method: string;
  readonly why: string;
}

/** The word for all methods, also those that tune the model's weights. */
export const everyMethod = "all";

/** True if the names of methods are the word for all. */
export const namesEveryMethod = (names: readonly string[] | undefined): boolean =>
  names?.length === 1 && names[0] === everyMethod;

/**
 * Returns the named methods; or all for which the inputs suffice, except those that tune the model's weights, and the ones
 * that are left out. The word "all" includes those that tune weights. Throws UsageError if there is no such method, or if a
 * named one needs a caption of the photo and there is none.
 */
export function methodsToCompare(
  names: readonly string[] | undefined,
  caption: string | undefined,
): { readonly chosen: readonly Method[]; readonly leftOut: readonly LeftOut[] } {
  const lacksCaption = ({ needs }: Method): boolean => needs.caption === "required" && caption === undefined;
  const isEvery = namesEveryMethod(names);
  if (names === undefined || isEvery) {
    const reason = (method: Method): string | undefined =>
      lacksCaption(method)
        ? "it needs a caption of the photo (source)"
        : method.needs.weightGradients && !isEvery
          ? `it tunes the model's weights, which takes minutes or hours; name it, or "${everyMethod}", to include it`
          : undefined;
    const reasons = methods().map((method) => ({ method, why: reason(method) }));
    return {
      chosen: reasons.flatMap(({ method, why }) => (why === undefined ? [method] : [])),
      leftOut: reasons.flatMap(({ method, why }) => (why === undefined ? [] : [{ method: method.name, why }])),
    };
  }
  const chosen = [...new Set(names)].map(methodNamed);
  if (chosen.length === 0)
    throw new UsageError("no method is named", { expected: few(methods().map(({ name }) => name)) });
  const lacking = chosen.filter(lacksCaption).map(({ name }) => name);
  if (lacking.length > 0) {
    throw new UsageError("a caption of the photo is missing", {
      found: `${few(lacking)}, which need${lacking.length === 1 ? "s" : ""} one`,
      advice: `Give what the photo shows. Methods that need no caption: ${methodsWithoutCaption()}.`,
    });
  }
  return { chosen, leftOut: [] };
}

/** Options of one method, for each verb, and its preset. */
export interface ChosenOptions extends Readonly<Record<Verb, SettingValues>> {
  readonly preset?: string;
}

/**
 * Splits options of a method by their verbs. `preset` is an option of `prepare` here. Throws UsageError that lists names that
 * the method does not have.
 */
export function splitOptions(method: Method, values: SettingValues): ChosenOptions {
  const { preset, ...own } = values;
  const of = (verb: Verb): SettingValues =>
    Object.fromEntries(Object.entries(own).filter(([name]) => Object.hasOwn(schemaOf(method, verb).shape, name)));
  const known = optionNames(method);
  const unknown = Object.keys(own).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(`not options of ${method.name}\n${listed(unknown)}`, { expected: few(known, 40) });
  }
  return {
    prepare: of("prepare"),
    edit: of("edit"),
    ...(preset !== undefined && { preset: String(preset) }),
  };
}

/** Smallest width of a cell, so that labels are readable. */
const cellWidth = 256;

const similarity = ({ psnr, clipScore }: MadeEdit): string =>
  [
    Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : "no difference",
    ...(clipScore === undefined ? [] : [`CLIP ${clipScore.toFixed(2)}`]),
  ].join(", ");

/** Returns a sheet of the photo and the finished edits, each with its method, its PSNR to the photo and its CLIPScore. */
export function comparisonSheet(photo: Cell, edits: readonly ComparedEdit[]): Picture {
  const cells = edits
    .filter(isMade)
    .map((edit) => ({ picture: edit.picture, label: `${edit.method}\n${similarity(edit)}` }));
  return contactSheet([photo, ...cells], { cellWidth: Math.max(cellWidth, photo.picture.width) });
}
