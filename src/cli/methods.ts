import { Command } from "commander";
import { type DeclaredOption, dashed, optionsOf } from "../core/index.ts";
import { type Method, methods } from "../editing/index.ts";
import { describeOption } from "./methodOptions.ts";
import { jsonOption, withExamples } from "./options.ts";
import { columns, print, printJson } from "./print.ts";

/** Describes the needs of a method. */
function needsOf({ needs: { caption, randomSeed, weightGradients } }: Method): string {
  const needed = ["a photo", "a target prompt", ...(caption === "required" ? ["a caption of the photo"] : [])];
  const more = [
    caption === "optional" && "uses a caption of the photo if there is one",
    randomSeed && "draws random numbers (--seed)",
    weightGradients && "tunes the model's weights on the photo",
  ].filter((fact) => fact !== false);
  return [needed.join(", "), ...more].join("; ");
}

/** Lists a switch that is on by default as the flag that turns it off. */
const optionLines = (options: readonly DeclaredOption[]): string =>
  columns(
    options.map((one) => [`    --${one.isSwitch && one.default ? "no-" : ""}${dashed(one.name)}`, describeOption(one)]),
  );

function describe(method: Method): string {
  const parts = [
    `${method.name}: ${method.title}`,
    `  paper: ${method.paper}`,
    `  needs: ${needsOf(method)}`,
    `  pictures: ${Object.keys(method.pictures).join(", ")}`,
    `  prepare:\n${optionLines(optionsOf(method.prepareOptions))}`,
    `  edit:\n${optionLines(optionsOf(method.editOptions))}`,
  ];
  return parts.join("\n");
}

const modelDefaults =
  "Defaults are those of the methods. A model may have its own (methods in its editing.json), as the Menagerie has; " +
  "baret edit --verbose prints the settings in effect.";

const optionsJson = (options: readonly DeclaredOption[]): object[] =>
  options.map(({ name, about, expected, default: value, unset }) => ({ name, about, expected, default: value, unset }));

const methodJson = (method: Method): object => ({
  name: method.name,
  title: method.title,
  paper: method.paper,
  needs: method.needs,
  pictures: method.pictures,
  presets: method.presets ?? {},
  prepare: optionsJson(optionsOf(method.prepareOptions)),
  edit: optionsJson(optionsOf(method.editOptions)),
});

export function methodsCommand(): Command {
  const command = withExamples(new Command("methods"), "baret methods", "baret methods --json");
  return command.addOption(jsonOption()).action(({ json }: { json?: boolean }) => {
    if (json) printJson({ methods: methods().map(methodJson) });
    else print([...methods().map(describe), modelDefaults].join("\n\n"));
  });
}
