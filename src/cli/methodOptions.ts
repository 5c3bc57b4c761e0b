import { type Command, Option } from "commander";
import { z } from "zod";
import {
  type DeclaredOption,
  dashed,
  few,
  isRecordedFile,
  listed,
  oneOf,
  option,
  optionsOf,
  shown,
  textOfValue,
  UsageError,
  valueOfText,
} from "../core/index.ts";
import { isMet, type Method, methodNamed, methods, schemaOf, type Verb } from "../editing/index.ts";
import { type ChosenOptions, type SettingValues, splitOptions } from "../tasks/index.ts";
import {
  checkOptions,
  choiceOption,
  option as flag,
  type OptionProblem,
  repeatable,
  repeatedOption,
  uncheckedSetting,
} from "./options.ts";

const headings: Record<Verb, string> = { prepare: "Preparing the photo:", edit: "Edit:" };

/** Returns the options of a method for some verbs. */
export const declaredOptions = (method: Method, verbs: readonly Verb[]): DeclaredOption[] =>
  verbs.flatMap((verb) => optionsOf(schemaOf(method, verb)));

/** Describes an option, its values and its default. */
export function describeOption(one: DeclaredOption): string {
  const { about, unset, off, isSwitch } = one;
  if (isSwitch) return one.default ? (off ?? `do not ${about}`) : about;
  const value = one.default === undefined ? unset : textOfValue(one, one.default);
  return `${about}${one.expected === "some text" ? "" : ` (${one.expected})`}${value === undefined ? "" : `, default ${value}`}`;
}

/** Returns the flag of an option. Its text is not parsed before the method is known. */
function flagOf(one: DeclaredOption): Option {
  const flag = dashed(one.name);
  const flags = one.isSwitch ? `--${one.default ? "no-" : ""}${flag}` : `--${flag} ${one.value ?? "<value>"}`;
  return uncheckedSetting(new Option(flags, describeOption(one)));
}

/** Returns the option of a command that takes no method. Its text is checked at once. */
export const checkedOption = (one: DeclaredOption): Option =>
  flag(`--${dashed(one.name)} ${one.value ?? "<value>"}`, describeOption(one), {
    expected: one.expected,
    read: (text) => one.schema.safeParse(valueOfText(one, text)).data,
    write: (value) => textOfValue(one, value),
  });

/** Options of `methodOptions`. */
export interface TakenOptions {
  /** Edit options take several values, separated by commas. */
  readonly takesLists?: boolean;
  /** Its edits can choose their strength. If not, help leaves out the options that only say whether they do. */
  readonly chooses?: boolean;
}

/** The options of methods that a command takes. */
interface AddedOptions {
  readonly verbs: readonly Verb[];
  readonly names: ReadonlySet<string>;
  readonly takesLists: boolean;
}

const added = new WeakMap<Command, AddedOptions>();

/**
 * Adds --method, --preset and the options of every method. Options of equal names share a flag. Help shows the options of
 * the method that --method names.
 */
export function methodOptions(
  command: Command,
  verbs: readonly Verb[],
  { takesLists = false, chooses = false }: TakenOptions = {},
): Command {
  const names = new Set<string>();
  repeatable(command, (made) => {
    const known = methods().map(({ name }) => name);
    made
      .optionsGroup("Method:")
      .addOption(choiceOption("--method <name>", `editing method, default ${known[0]}`, known));
    if (verbs.includes("prepare")) {
      const presets = [...new Set(methods().flatMap((method) => Object.keys(method.presets ?? {})))];
      made.addOption(choiceOption("--preset <name>", "named settings; other options take precedence", presets));
    }
    for (const verb of verbs) {
      made.optionsGroup(headings[verb]);
      for (const one of methods().flatMap((method) => optionsOf(schemaOf(method, verb)))) {
        if (names.has(one.name)) continue;
        names.add(one.name);
        made.addOption(flagOf(one));
      }
    }
  });
  added.set(command, { verbs, names, takesLists });
  command.configureHelp({
    visibleOptions(helped) {
      const own = new Map(declaredOptions(chosenMethod(command), verbs).map((one) => [one.name, one]));
      const shown = helped.options.flatMap((one) => {
        const name = one.attributeName();
        if (one.hidden || (names.has(name) && !own.has(name))) return [];
        const declared = names.has(name) ? own.get(name) : undefined;
        if (declared?.ofChoice && !chooses) return [];
        // Methods that share a flag may have other words and defaults for it.
        return [declared ? Object.assign(flagOf(declared), { helpGroupHeading: one.helpGroupHeading }) : one];
      });
      return [...shown, new Option("-h, --help", "display help for command")];
    },
  });
  return checkOptions(command, (made) => methodProblems(made, chosenMethod(made)));
}

/** Returns the method that --method names, else `otherwise`. */
export function chosenMethod(command: Command, otherwise: string = methods()[0].name): Method {
  const named = command.opts<{ method?: unknown }>().method;
  return methodNamed(typeof named === "string" ? named : otherwise);
}

/** Tells if an option was given, on the command line or by --like. */
const isGiven = (command: Command, name: string): boolean =>
  ["cli", "config"].includes(command.getOptionValueSource(name) ?? "");

/** Returns the given values of a method's options. */
export function givenValues(command: Command, method: Method, verb: Verb): SettingValues {
  const opts = command.opts<Record<string, unknown>>();
  const given = optionsOf(schemaOf(method, verb)).filter(({ name }) => isGiven(command, name));
  return Object.fromEntries(given.map((one) => [one.name, givenValue(command, one, opts[one.name])]));
}

const givenValue = (command: Command, one: DeclaredOption, value: unknown): unknown =>
  command.getOptionValueSource(one.name) === "cli" && typeof value === "string" ? valueOfText(one, value) : value;

/** Returns the paths of the files that some values of a method's edit options name: they are read. */
export const filesIn = ({ editOptions }: Method, values: SettingValues): string[] =>
  optionsOf(editOptions)
    .filter(({ isFile }) => isFile)
    .flatMap(({ name }) => {
      const value = values[name];
      return typeof value === "string" ? [value] : isRecordedFile(value) ? [value.path] : [];
    });

/** Returns the axes of a sweep, which are the options given with several values, and the values common to all points. */
export function sweepValues(
  command: Command,
  method: Method,
): { common: SettingValues; axes: Record<string, unknown[]> } {
  const opts = command.opts<Record<string, unknown>>();
  const common: Record<string, unknown> = {};
  const axes: Record<string, unknown[]> = {};
  for (const one of optionsOf(method.editOptions)) {
    if (!isGiven(command, one.name)) continue;
    const text = opts[one.name];
    const texts = typeof text === "string" && !one.isList ? textsOf(text) : [];
    if (texts.length > 1) axes[one.name] = texts.map((each) => valueOfText(one, each));
    else common[one.name] = givenValue(command, one, text);
  }
  return { common, axes };
}

/** Lists wrong values of the given options, and given options that the method does not have. */
export function methodProblems(command: Command, method: Method): OptionProblem[] {
  const { verbs, names, takesLists } = added.get(command)!;
  const own = declaredOptions(method, verbs);
  // Scripts may pass a seed to every command.
  const foreign = [...names].filter(
    (name) => name !== "seed" && isGiven(command, name) && !own.some((one) => one.name === name),
  );
  const wrong = own
    .filter(({ name }) => isGiven(command, name))
    .flatMap((one): OptionProblem[] => {
      const given = command.opts<Record<string, unknown>>()[one.name];
      const value = givenValue(command, one, given);
      const isAxis =
        takesLists && Array.isArray(value) && typeof given === "string" && given.includes(",") && !one.isList;
      const values = isAxis ? textsOf(given).map((text) => valueOfText(one, text)) : [value];
      const at = values.findIndex((each) => !one.schema.safeParse(each).success);
      if (at < 0) return [];
      const [problem] = one.schema.safeParse(values[at]).error!.issues;
      // If only a part of the value is wrong, its message ("0..1") does not describe the whole value.
      const whole = problem.path.length === 0 ? problem.message.replace(/^expected /, "") : one.expected;
      return [{ where: asFlag(one.name), found: shown(isAxis ? textsOf(given)[at] : given), expected: whole }];
    });
  const takers = (name: string): string[] =>
    methods().flatMap((other) => (declaredOptions(other, verbs).some((one) => one.name === name) ? [other.name] : []));
  const others = foreign.map((name) => ({
    where: asFlag(name),
    problem: `not an option of ${method.name}, but of ${few(takers(name))}`,
  }));
  return [...others, ...wrong];
}

const textsOf = (list: string): string[] => list.split(",").map((text) => text.trim());

const asFlag = (name: string): string => `--${dashed(name)}`;

/** Throws UsageError if one of these options was given. */
export function refuseGiven(
  command: Command,
  names: readonly string[],
  problem: string,
  sources: readonly string[],
): void {
  const given = names.filter((name) => isGiven(command, name));
  if (given.length === 0) return;
  throw new UsageError(problem, {
    where: given.map(asFlag).join(", "),
    found: few(sources),
    advice: "Leave the option out, or give the photo.",
  });
}

/** Returns settings as names and texts of flags, in the order of `settings`. */
export function writtenSettings(method: Method, settings: SettingValues): [flag: string, text: string][] {
  const declared = declaredOptions(method, ["prepare", "edit"]);
  return Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const one = declared.find((each) => each.name === name);
      const text = one ? textOfValue(one, value) : String(value);
      return [dashed(name), text || '""'];
    });
}

/** Returns the flags of a method's options, by the options' names. */
export const flagsOf = (method: Method): ReadonlyMap<string, string> =>
  new Map(declaredOptions(method, ["prepare", "edit"]).map((one) => [one.name, flagOf(one).long ?? ""]));

/** Returns the settings without those that have no effect, because an option that they need is not set. */
export function withoutIdle({ dependents = [] }: Pick<Method, "dependents">, settings: SettingValues): SettingValues {
  const idle = new Set(dependents.filter((one) => !isMet(one, settings)).flatMap(({ options }) => options));
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !idle.has(name)));
}

/** Returns the settings that are not the method's defaults. */
export function changedSettings(method: Method, settings: SettingValues): SettingValues {
  const defaults = new Map(declaredOptions(method, ["prepare", "edit"]).map((one) => [one.name, one.default]));
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => JSON.stringify(defaults.get(name)) !== JSON.stringify(value)),
  );
}

/** Returns remedies as they are written on the command line. */
export const writtenRemedies = (method: Method, remedies: SettingValues): string =>
  writtenSettings(method, remedies)
    .map(([flag, text]) => (text === "false" ? `--no-${flag}` : text === "true" ? `--${flag}` : `--${flag} ${text}`))
    .join(", ");

/** Returns the option that sets options of methods. It may be given several times. */
export const assignmentOption = (): Option =>
  repeatedOption(
    "--set <method.option=value>",
    "option of a method, or of all methods that have it and take the value: sdedit.strength=0.7, steps=20, baret.preset=fast; may be repeated",
  );

/** "method.option=value" or "option=value". */
const assignment = /^(?:([a-z0-9-]+)\.)?([A-Za-z][\w-]*)=(.*)$/s;

/**
 * Returns the options of each method from texts such as "sdedit.strength=0.7". A text without a method is for all methods that
 * have the option and take the value. warn: called with a message if a method has the option, does not take the value, and gets
 * no other. A later text takes precedence, and one with a method over one without. Throws UsageError that lists every text that
 * is wrong.
 */
export function assignedOptions(
  texts: readonly string[],
  chosen: readonly Method[],
  warn: (message: string) => void,
): Map<Method, ChosenOptions> {
  const problems: string[] = [];
  const partly: { readonly text: string; readonly taking: Assignable[]; readonly refusing: Assignable[] }[] = [];
  const declared = chosen.map((method) => ({ method, options: assignable(method) }));
  const values = new Map(chosen.map((method): [Method, Record<string, unknown>] => [method, {}]));
  const parsed = texts.map((text) => ({ text, parts: assignment.exec(text) }));
  // Those without a method first, so that the others replace them.
  const ordered = [...parsed.filter(({ parts }) => !parts?.[1]), ...parsed.filter(({ parts }) => parts?.[1])];
  for (const { text, parts } of ordered) {
    const [, named, name, value] = parts ?? [];
    const methods = declared.filter(({ method }) => named === undefined || method.name === named);
    const having = methods.flatMap(({ method, options }): Assignable[] => {
      const one = parts && options.find((each) => dashed(each.name) === dashed(name));
      return one ? [{ method, one }] : [];
    });
    const takes = ({ one }: Assignable): boolean => one.schema.safeParse(valueOfText(one, value)).success;
    const [taking, refusing] = [having.filter(takes), having.filter((each) => !takes(each))];
    const wrong = (problem: string): void => void problems.push(`${shown(text)}: ${problem}`);
    if (!parts) wrong("expected METHOD.OPTION=VALUE or OPTION=VALUE");
    else if (methods.length === 0) wrong(`${named} is not compared`);
    else if (having.length === 0) wrong(`not an option of ${named ?? "any of the methods"}`);
    else if (taking.length === 0)
      for (const one of refusing) wrong(`found ${shown(value)}, ${expectedBy(one, having)}`);
    for (const { method, one } of taking) values.get(method)![one.name] = valueOfText(one, value);
    if (taking.length > 0 && refusing.length > 0) partly.push({ text, taking, refusing });
  }
  if (problems.length > 0) throw new UsageError(`values of --set\n${listed([...new Set(problems)])}`);
  for (const { text, taking, refusing } of partly) {
    const left = refusing.filter(({ method, one }) => values.get(method)![one.name] === undefined);
    if (left.length === 0) continue;
    const expected = left.map(({ method, one }) => `${method.name} expects ${one.expected}`);
    warn(`--set ${shown(text)}: for ${few(taking.map(({ method }) => method.name))} only; ${few(expected)}`);
  }
  return new Map([...values].map(([method, own]) => [method, splitOptions(method, own)]));
}

/** A method, and one of its options or its preset. */
interface Assignable {
  readonly method: Method;
  readonly one: DeclaredOption;
}

/** Says which values a method expects, with its name if other methods expect others. */
const expectedBy = ({ method, one }: Assignable, all: readonly Assignable[]): string =>
  `expected ${one.expected}${all.some((other) => other.one.expected !== one.expected) ? ` by ${method.name}` : ""}`;

/** Returns the options of a method, its preset among them. */
function assignable(method: Method): DeclaredOption[] {
  const presets = Object.keys(method.presets ?? {});
  const schema = z.object({ preset: option(oneOf(presets), { about: "named settings" }) });
  return [...declaredOptions(method, ["prepare", "edit"]), ...(presets.length > 0 ? optionsOf(schema) : [])];
}
