/** The edits that are timed. */
import { type Method, methods } from "../../src/editing/index.ts";
import type { SettingValues } from "../../src/tasks/index.ts";

export interface Case {
  readonly name: string;
  readonly method: Method;
  /** Options over the model's and the method's defaults. */
  readonly prepare: SettingValues;
  readonly edit: SettingValues;
  /** True if pytorch.py makes the same edit. */
  readonly isInTorch: boolean;
}

/** Settings with which both programs do the same amount of work: a fixed number of iterations, and one edit. */
const equalWork: Readonly<Record<string, Pick<Case, "prepare" | "edit"> & { readonly about: string }>> = {
  baret: { about: ", no early stop, fixed strength", prepare: { earlyStop: false }, edit: { strength: "fixed" } },
  "null-text": { about: ", no early stop", prepare: { earlyStop: false }, edit: {} },
};
/** Methods that pytorch.py knows and whose defaults are the same amount of work already. */
const sameAtDefaults = ["plain", "masactrl", "sine"];

const few = 10;

/** Options of the short form, of those that a method has. */
function shortened({ prepareOptions }: Method): SettingValues {
  const counts = Object.entries({ steps: few, embeddingSteps: few, tuningSteps: few });
  return Object.fromEntries(counts.filter(([name]) => name in prepareOptions.shape));
}

/** Returns every named method at its defaults, and those of `equalWork` a second time. */
export function casesOf(names: readonly string[], { short }: { readonly short: boolean }): Case[] {
  return methods()
    .filter(({ name }) => names.includes(name))
    .flatMap((method): Case[] => {
      const { name } = method;
      const own = { method, prepare: short ? shortened(method) : {}, edit: {} };
      const equal = equalWork[name];
      return [
        { ...own, name, isInTorch: sameAtDefaults.includes(name) },
        ...(equal
          ? [
              {
                method,
                name: `${name}${equal.about}`,
                prepare: { ...own.prepare, ...equal.prepare },
                edit: equal.edit,
                isInTorch: true,
              },
            ]
          : []),
      ];
    });
}
