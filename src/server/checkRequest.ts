import type { z } from "zod";
import { MAX_SIDE, optionsOf, problemsOf, shown } from "../core/index.ts";
import {
  type Method,
  methods,
  methodsWithoutCaption,
  notAnOption,
  promptFields,
  requirePoints,
  schemaOf,
} from "../editing/index.ts";
import { methodsToCompare, namesEveryMethod } from "../tasks/index.ts";
import { type BlobId, blobId, type JobRequest, type ModelDescription } from "./api/index.ts";
import { type FieldProblem, RequestError } from "./errors.ts";
import type { NamedPicture } from "./requireStored.ts";

/** A request that fits the model and its methods, with model, method and methods named. */
export interface CheckedRequest {
  readonly request: JobRequest;
  readonly model: ModelDescription;
  /** Photos that options name, by the fields that name them. */
  readonly files: readonly NamedPicture[];
}

type Values = Readonly<Record<string, unknown>>;

/** More wrong fields than that are not looked for. */
const MAX_PROBLEMS = 20;

const few = (names: readonly string[]): string => names.join(", ") || "none";

/**
 * Checks a request against the methods' own schemas and a model, before any work. What depends on the photo or on the prompts'
 * words is checked by the worker. Throws one RequestError that lists every wrong field.
 */
export class RequestCheck {
  private readonly problems: FieldProblem[] = [];
  private readonly files: NamedPicture[] = [];

  static run(request: JobRequest, models: readonly ModelDescription[]): CheckedRequest {
    return new RequestCheck().check(request, models);
  }

  private check(request: JobRequest, models: readonly ModelDescription[]): CheckedRequest {
    this.checkPrompts(request);
    this.checkSize(request.size);
    const model = this.modelOf(request.model, models);
    const named = model ? this.checkKind({ ...request, model: model.name }, model) : undefined;
    if (this.problems.length > 0 || !named || !model) throw new RequestError(this.problems);
    return { request: named, model, files: this.files };
  }

  private wrong(field: string, found: unknown, expected: string): undefined {
    this.problems.push({ field, message: `${field}: found ${shown(found)}, expected ${expected}` });
  }

  private checkPrompts({ target, source }: JobRequest): void {
    for (const [field, value] of Object.entries({ target, source })) {
      const { error } = promptFields[field as "target" | "source"].safeParse(value);
      if (error) this.wrong(field, value, field === "target" ? "what the edited photo shows" : "what the photo shows");
    }
  }

  private checkSize(size: string | undefined): void {
    if (size === undefined) return;
    const fits = size.split("x").every((side) => Number(side) >= 8 && Number(side) <= MAX_SIDE);
    if (!fits) this.wrong("size", size, `sides from 8 to ${MAX_SIDE} pixels`);
  }

  private modelOf(name: string | undefined, models: readonly ModelDescription[]): ModelDescription | undefined {
    const found = name === undefined ? models[0] : models.find((model) => model.name === name);
    return found ?? this.wrong("model", name, few(models.map((model) => model.name)));
  }

  /** Checks what the kind of job has of its own. Returns the request with its methods named. */
  private checkKind(request: JobRequest, model: ModelDescription): JobRequest | undefined {
    if (request.source === "auto" && !model.hasJudge) {
      this.wrong("source", "auto", `a caption of the photo, since ${model.name} has no judge to make one`);
    }
    if (request.kind === "compare") return this.checkComparison(request, model);
    const method = this.methodOf("method", request.method ?? methods()[0].name);
    if (!method) return undefined;
    if (method.needs.caption === "required" && request.source === undefined) {
      this.wrong(
        "source",
        undefined,
        `a caption of the photo, which ${method.name} needs; without one: ${methodsWithoutCaption()}`,
      );
    }
    this.checkPreset("preset", method, request.preset);
    this.checkOptions("options", method, request.options, model);
    if (request.kind === "sweep") this.checkAxes(method, request.axes, request.options);
    const pictures = Object.keys(method.pictures);
    if (request.kind === "attention" && !pictures.includes(request.of)) this.wrong("of", request.of, few(pictures));
    if (request.kind === "edit") {
      for (const [k, name] of request.images.entries()) {
        if (!pictures.includes(name)) this.wrong(`images.${k}`, name, few(pictures));
      }
      if (request.strip && !method.strip) this.wrong("strip", true, `false, since ${method.name} has no strip`);
    }
    return { ...request, method: method.name };
  }

  private methodOf(field: string, name: string): Method | undefined {
    const found = methods().find((method) => method.name === name);
    return found ?? this.wrong(field, name, few(methods().map((method) => method.name)));
  }

  private checkComparison(
    request: Extract<JobRequest, { kind: "compare" }>,
    model: ModelDescription,
  ): JobRequest | undefined {
    const isEvery = namesEveryMethod(request.methods);
    const named = isEvery ? undefined : request.methods?.map((name, k) => this.methodOf(`methods.${k}`, name));
    const chosen = named ?? methodsToCompare(request.methods, request.source).chosen;
    const compared = chosen.filter((method) => method !== undefined);
    for (const [k, { name, needs }] of compared.entries()) {
      if (needs.caption === "required" && request.source === undefined) {
        this.wrong(
          `methods.${k}`,
          name,
          `a method that needs no caption, or a source; without one: ${methodsWithoutCaption()}`,
        );
      }
    }
    for (const [name, { preset, ...own }] of Object.entries(request.options)) {
      const method = compared.find((one) => one.name === name);
      if (!method) {
        this.wrong(`options.${name}`, name, `a method that is compared: ${few(compared.map((one) => one.name))}`);
        continue;
      }
      this.checkPreset(`options.${name}.preset`, method, preset);
      this.checkOptions(`options.${name}`, method, own, model);
    }
    return { ...request, methods: [...new Set(compared.map(({ name }) => name))] };
  }

  private checkPreset(field: string, { presets = {} }: Method, preset: unknown): void {
    if (preset === undefined) return;
    const known = Object.keys(presets);
    if (!known.includes(preset as string)) this.wrong(field, preset, few(known));
  }

  /** Checks values of a method's options, each for itself and all together. */
  private checkOptions(where: string, method: Method, values: Values, model: ModelDescription): void {
    const verbs = (["prepare", "edit"] as const).map((verb) => schemaOf(method, verb));
    for (const [name, value] of Object.entries(values)) {
      if (this.problems.length >= MAX_PROBLEMS) return;
      const schema = verbs.find(({ shape }) => Object.hasOwn(shape, name));
      const field = `${where}.${name}`;
      if (schema) this.checkValue(field, schema, name, value);
      else this.problems.push({ field, message: `${field}: ${notAnOption(method)}` });
    }
    if (this.problems.length > 0) return;
    for (const schema of verbs) {
      const own = Object.entries({ ...model.defaults[method.name], ...values }).filter(
        ([name]) => name in schema.shape,
      );
      const { error } = schema.safeParse(Object.fromEntries(own));
      // A field that is missing here has a default that only the worker knows.
      const together = error?.issues.filter(({ path }) => path.length === 0 || Object.hasOwn(values, path[0])) ?? [];
      for (const { path, message } of together) {
        const field = [where, ...path].join(".");
        this.problems.push({ field, message: `${field}: ${message}` });
      }
    }
  }

  private checkValue(field: string, schema: z.ZodObject, name: string, value: unknown): void {
    // Never a path, as the library takes it: a server reads no file that a client names.
    if (optionsOf(schema).some((one) => one.name === name && one.isFile)) {
      if (blobId.safeParse(value).success) this.files.push({ field, id: value as BlobId });
      else this.wrong(field, value, "the id of an uploaded photo");
      return;
    }
    const { error } = (schema.shape[name] as z.ZodType).safeParse(value);
    for (const message of error ? problemsOf(error, value, field) : []) {
      this.problems.push({ field, message: message.startsWith(field) ? message : `${field}.${message}` });
    }
  }

  private checkAxes(method: Method, axes: Readonly<Record<string, readonly unknown[]>>, options: Values): void {
    const names = Object.keys(axes);
    if (names.length === 0 && !method.sweepPoints) this.wrong("axes", axes, "at least one option with its values");
    for (const [name, values] of Object.entries(axes)) {
      const field = `axes.${name}`;
      if (!Object.hasOwn(method.editOptions.shape, name)) {
        this.problems.push({
          field,
          message: `${field}: ${notAnOption(method, Object.keys(method.editOptions.shape))}`,
        });
      } else {
        if (this.problems.length >= MAX_PROBLEMS) return;
        for (const [k, value] of values.entries()) this.checkValue(`${field}.${k}`, method.editOptions, name, value);
      }
      if (Object.hasOwn(options, name))
        this.wrong(`options.${name}`, options[name], `nothing, since ${field} has its values`);
    }
    try {
      requirePoints(Object.values(axes).reduce((count, values) => count * values.length, 1));
    } catch (error) {
      this.problems.push({ field: "axes", message: `axes: ${(error as Error).message}` });
    }
  }
}
