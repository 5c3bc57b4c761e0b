import { Command } from "commander";
import { type DeclaredOption, dashed, optionsOf } from "../core/index.ts";
import { type Method, methods } from "../editing/index.ts";
import { describeOption } from "./methodOptions.ts";
import { jsonOption } from "./options.ts";
import { columns, print, printJson } from "./print.ts";

/** Describes the needs of a method besides photo and prompt. */
function needsOf({ needs }: Method): string {
  const words = [
    needs.caption === "required" && "a caption of the photo",
    needs.randomSeed && "a seed",
    needs.weightGradients && "gradients of the weights",
  ].filter((word) => word !== false);
  return `${words.join(", ") || "nothing else"}${needs.caption === "optional" ? "; uses a caption of the photo if there is one" : ""}`;
}

const optionLines = (options: readonly DeclaredOption[]): string =>
  columns(options.map((one) => [`    --${dashed(one.name)}`, describeOption({ ...one, off: one.about })]));

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
  return new Command("methods").addOption(jsonOption()).action(({ json }: { json?: boolean }) => {
    if (json) printJson({ methods: methods().map(methodJson) });
    else print(methods().map(describe).join("\n\n"));
  });
}
