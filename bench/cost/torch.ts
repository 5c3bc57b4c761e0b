/** The same edit by pytorch.py, in a process of its own. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Costs } from "../../src/tasks/index.ts";
import type { Edited } from "./edit.ts";

export type TorchDtype = "float32" | "float16";

export interface TorchEdit extends Costs {
  /** File of the edit. */
  readonly picture: string;
  readonly layout: string;
  readonly torch: string;
  readonly diffusers: string;
  /** Most bytes that PyTorch's tensors took on a GPU. */
  readonly memory?: number;
}

/**
 * Makes the edit `own` once more in PyTorch. folder: for its files. on: where and how it computes. Throws if Python fails; its messages are on the terminal.
 */
export function editInTorch(
  python: string,
  model: string,
  photo: string,
  own: Edited,
  folder: string,
  on: { readonly device: "cpu" | "cuda"; readonly dtype: TorchDtype } = { device: "cpu", dtype: "float32" },
): TorchEdit {
  const { method, target, source, threads, prepare, edit, mapper, mutual } = own;
  const picture = join(folder, "pytorch.png");
  const file = join(folder, "job.json");
  const job = { method, model, photo, target, source, threads, picture, prepare, edit, mapper, mutual, ...on };
  writeFileSync(file, JSON.stringify(job));
  const env = { ...process.env, OMP_WAIT_POLICY: "ACTIVE" };
  const args = ["bench/cost/pytorch.py", file];
  const said = execFileSync(python, args, { encoding: "utf8", env, stdio: ["ignore", "pipe", "inherit"] });
  return { ...(JSON.parse(said.trim().split("\n").at(-1)!) as Omit<TorchEdit, "picture">), picture };
}
