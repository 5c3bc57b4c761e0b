import { join } from "node:path";
import { Command } from "commander";
import { compareReports, diffBlocks, reportJson } from "../../experiments/index.ts";
import { readReport, writeDiff } from "../../experiments/node/index.ts";
import { fileNamed, jsonOption, option } from "../options.ts";
import { checkOutputs } from "../outputs.ts";
import { print, printJson } from "../print.ts";
import { blockText } from "./blockText.ts";

interface DiffFlags {
  readonly out?: string;
  readonly json?: boolean;
}

/** `baret experiments diff`. */
export function diffCommand(): Command {
  return new Command("diff")
    .description("compare the reports of two runs: figures that differ, and what is in one of them only")
    .argument("<first>", "folder of a run, or its report.json")
    .argument("<second>", "the same of another run")
    .addOption(option("-o, --out <file>", "page to write", fileNamed(".html")))
    .addOption(jsonOption())
    .action(async (first: string, second: string, { out, json }: DiffFlags) => {
      const [a, b] = [await readReport(first), await readReport(second)];
      if (out) {
        const pages = [first, second].map((run) => join(run, "report.html"));
        await checkOutputs([{ option: "--out", path: out }], [first, second], pages);
      }
      const diff = compareReports(a, b);
      if (out) await writeDiff(out, diff, first, second);
      if (json) printJson(JSON.parse(reportJson(diff)));
      else print(diffBlocks(diff).map(blockText).join("\n\n"));
    });
}
