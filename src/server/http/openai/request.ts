import { type DeclaredOption, dashed, few, optionsOf, shown, valueOfText } from "../../../core/index.ts";
import { type Method, methodNamed, methods, notAnOption, schemaOf } from "../../../editing/index.ts";
import { type EditRequest, editRequest } from "../../api/index.ts";
import { type FieldProblem, RequestError } from "../../errors.ts";
import type { EditForm } from "./fields.ts";

/** Settings of an edit besides the options of its method: baret[method], baret[source], … */
const settings = ["method", "preset", "source", "fit", "priority"] as const;

/** One edit of a form, before its photo is stored. */
export interface AskedEdit {
  readonly image: Uint8Array;
  readonly request: Omit<EditRequest, "photo">;
}

/** The request of a form. */
export interface AskedEdits {
  /** In the order of the images, or of the seeds. */
  readonly edits: readonly AskedEdit[];
  /** Masks, by the names of their options. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

type Wrong = (field: string, message: string) => void;

/** Returns the edits that a form asks for. Throws one RequestError that lists all problems. */
export function editsOf(form: EditForm): AskedEdits {
  const problems: FieldProblem[] = [];
  const wrong: Wrong = (field, message) => void problems.push({ field, message: `${field}: ${message}` });
  const texts: Partial<Record<(typeof settings)[number], string>> = {};
  for (const name of settings) {
    const [value] = form.own.get(name) ?? [];
    if (value instanceof Uint8Array) wrong(`baret[${name}]`, "not a field with a file");
    else if (value !== undefined) texts[name] = value;
  }
  const method = chosenMethod(texts.method, wrong);
  const { options, files } = ownOptions(form, method, wrong);
  checkCount(form, method, wrong);
  const hasSize = form.size !== "auto";
  const { data, error } = editRequest.omit({ photo: true }).safeParse({
    kind: "edit",
    target: form.prompt,
    source: texts.source,
    model: form.model,
    size: hasSize ? form.size : undefined,
    // Without a size, the edit has the photo's own.
    fit: texts.fit ?? (hasSize ? "crop" : "whole"),
    priority: texts.priority,
    method: method.name,
    preset: presetOf(form, method, texts.preset, wrong),
    options,
    previews: form.partial_images > 0,
  });
  for (const { path, message } of error?.issues ?? []) {
    const field = paramOf(path.join("."));
    wrong(field, message);
  }
  if (!data || problems.length > 0) throw new RequestError(problems);
  return { edits: seeded(form, method, data), files };
}

/** Returns an edit for each image; or several of one image, with one seed after the other. */
function seeded({ images, n, seed }: EditForm, method: Method, request: AskedEdit["request"]): AskedEdit[] {
  if (!method.needs.randomSeed) return images.map((image) => ({ image, request }));
  const withSeed = (k: number) => ({ ...request, options: { ...request.options, seed: k } });
  if (images.length > 1)
    return images.map((image) => ({ image, request: seed === undefined ? request : withSeed(seed) }));
  const own = request.options.seed;
  const first = seed ?? (typeof own === "number" ? own : 0);
  return Array.from({ length: n }, (_, k) => ({ image: images[0], request: withSeed(first + k) }));
}

function chosenMethod(name: string | undefined, wrong: Wrong): Method {
  const [usual] = methods();
  if (name === undefined) return usual;
  const found = methods().find((method) => method.name === name);
  if (!found) {
    wrong("baret[method]", `found ${shown(name)}, expected ${few(methods().map((method) => method.name))}`);
  }
  return found ?? methodNamed(usual.name);
}

const optionsOfMethod = (method: Method): DeclaredOption[] =>
  (["prepare", "edit"] as const).flatMap((verb) => optionsOf(schemaOf(method, verb)));

/** Reads the options of the method from their texts. */
function ownOptions(form: EditForm, method: Method, wrong: Wrong) {
  const declared = optionsOfMethod(method);
  const options: Record<string, unknown> = {};
  const files = new Map<string, Uint8Array>();
  for (const [name, values] of form.own) {
    if ((settings as readonly string[]).includes(name)) continue;
    const one = declared.find((each) => dashed(each.name) === dashed(name));
    const [file] = values;
    const texts = values.filter((value) => typeof value === "string");
    if (!one) wrong(`baret[${name}]`, notAnOption(method));
    else if (one.isFile) {
      if (values.length === 1 && file instanceof Uint8Array) files.set(one.name, file);
      else wrong(`baret[${name}]`, "expected a file");
    } else if (texts.length < values.length) wrong(`baret[${name}]`, "not an option with a file");
    else options[one.name] = valueOfText(one, texts.join(","));
  }
  if (form.seed !== undefined && Object.hasOwn(options, "seed")) wrong("seed", "given twice, also as baret[seed]");
  return { options, files };
}

/** Returns the preset. quality low: the fast one. Any other quality: the method's usual settings. */
function presetOf({ quality }: EditForm, method: Method, preset: string | undefined, wrong: Wrong): string | undefined {
  if (quality !== "low") return preset;
  if (preset !== undefined) wrong("quality", "expected without baret[preset]");
  else if (!Object.hasOwn(method.presets ?? {}, "fast")) {
    wrong("quality", `${method.name} has no fast preset; expected auto`);
  }
  return "fast";
}

/** Checks the number of edits: one for each image, or several of one image if they can differ. */
function checkCount({ n, images }: EditForm, method: Method, wrong: Wrong): void {
  if (images.length > 1 && n !== images.length) {
    wrong("image", `found ${images.length} images, which are not combined; set n to ${images.length} to edit each one`);
  } else if (images.length === 1 && n > 1 && !method.needs.randomSeed) {
    wrong("n", `${method.name} draws no random numbers, so its ${n} edits would be equal; expected 1`);
  }
}

const names: Readonly<Record<string, string>> = { target: "prompt", photo: "image", model: "model", size: "size" };

/** Returns the field of this API that holds a field of the server's own request. */
export function paramOf(field: string): string {
  const [first, second] = field.split(".");
  if (first === "options" && second !== undefined) return `baret[${second}]`;
  return names[first] ?? `baret[${first}]`;
}
