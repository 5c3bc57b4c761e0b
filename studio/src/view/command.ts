import { dashed } from "../../../src/core/optionText.ts";
import type { Capabilities, JobRequest, MethodDescription } from "../../../src/server/api/index.ts";
import { methodNamed, optionNamed, optionText } from "./settings.ts";

/** Name that a command gives to the photo: the server knows its bytes only. */
const PHOTO = "photo.png";

/** Quotes a word for a shell, if it needs that. */
export function quoted(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return /["$`\\!\n]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : `"${text}"`;
}

/** The model of the command line, if it names none. */
const USUAL_MODEL = "menagerie";

type Values = Readonly<Record<string, unknown>>;

/** Returns options as flags. */
function flagsOf(method: MethodDescription | undefined, options: Values): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const option = optionNamed(method, name);
    if (value === undefined || value === null) return [];
    // A switch has one flag: the one that changes it.
    if (typeof value === "boolean") {
      if (value === (option?.default ?? false)) return [];
      return [value ? `--${dashed(name)}` : `--no-${dashed(name)}`];
    }
    return [`--${dashed(name)}`, quoted(option?.isFile ? `${dashed(name)}.png` : optionText(option, value))];
  });
}

const flag = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [name, quoted(value)]);

/** Returns the arguments that only one kind of job has. */
function ownFlags(request: JobRequest, capabilities: Capabilities): string[] {
  if (request.kind === "compare") {
    const sets = Object.entries(request.options).flatMap(([name, options]) =>
      Object.entries(options).flatMap(([option, value]) => {
        const text = optionText(optionNamed(methodNamed(capabilities, name), option), value);
        return ["--set", quoted(`${name}.${option}=${text}`)];
      }),
    );
    return [...flag("--methods", request.methods?.join(",")), ...sets];
  }
  const method = methodNamed(capabilities, request.method);
  const chosen = [...flag("--method", request.method), ...flag("--preset", request.preset)];
  const options = flagsOf(method, request.options);
  if (request.kind === "attention") return [...chosen, ...options, ...flag("--of", request.of)];
  if (request.kind === "edit") return [...chosen, ...options];
  const axes = Object.entries(request.axes).flatMap(([name, values]) => {
    const option = optionNamed(method, name);
    return [`--${dashed(name)}`, quoted(values.map((value) => optionText(option, value)).join(","))];
  });
  return [...chosen, ...options, ...axes];
}

/** Returns the command that does what a request asks for, for a POSIX shell. */
export function commandOf(request: JobRequest, capabilities: Capabilities): string {
  const { model, size, fit, source, target, kind } = request;
  const name = model ?? capabilities.models[0]?.name;
  const flags = [
    ...ownFlags(request, capabilities),
    ...(name === USUAL_MODEL ? [] : flag("--model", name)),
    ...flag("--size", size),
    ...(fit === "crop" ? [] : flag("--fit", fit)),
    ...flag("--source", source),
    ...flag("-o", `${kind}.png`),
  ];
  const what = [PHOTO, quoted(target)];
  // What begins with a dash is no flag behind "--".
  const words = target.startsWith("-") ? [...flags, "--", ...what] : [...what, ...flags];
  return ["baret", kind, ...words].join(" ");
}
