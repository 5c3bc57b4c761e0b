/** `npm run bench -- edits`: how fast one edit by BARET is, beside PyTorch. */
import { count, readOptions, text } from "../options.ts";
import { speedReport } from "./speed.ts";

const about =
  "Times one edit by BARET, and the same edit in PyTorch. `baret experiments truth` tells how good edits are.";
const options = {
  model: text("NAME", "name, folder or file of the model", "checkpoints/menagerie"),
  python: text("FILE", "Python with torch and diffusers, to time the same edit in PyTorch"),
  runs: count("timed runs", 3),
  out: text("FOLDER", "folder for the pictures", "out/edits"),
};

export async function main(args: readonly string[]): Promise<void> {
  console.log(await speedReport(readOptions("edits", about, options, args)));
}
