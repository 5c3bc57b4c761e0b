/** Whole edits with BARET on a device, in turns with the same in PyTorch on that device. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import type { Device } from "../../src/runtime/index.ts";
import type { Costs } from "../../src/tasks/index.ts";
import { tuningPairs } from "../../src/world/index.ts";
import { casesOf } from "../cost/cases.ts";
import { type Edited, makeEdit, warmUp } from "../cost/edit.ts";
import { editInTorch, type TorchDtype } from "../cost/torch.ts";

export interface EditRun {
  readonly program: string;
  readonly costs: Costs;
  /** Bytes on the device, at the end of the edit. */
  readonly memory?: number;
}

export interface EditOptions {
  readonly device: Device;
  /** A diffusers folder. */
  readonly model: string;
  readonly python: string | undefined;
  readonly runs: number;
  /** 10 steps instead of the method's. */
  readonly short: boolean;
  /** Folder for files. */
  readonly scratch: string;
  readonly memoryOf: (pid: number | undefined) => number | undefined;
}

/** Edits one pair, without the early stop of the tuning, so that both programs do the same amount of work. */
export async function measureEdits(options: EditOptions): Promise<EditRun[]> {
  const { device, model: folder, python, runs, short, scratch, memoryOf } = options;
  const [pair] = tuningPairs();
  const what = casesOf(["baret"], { short }).at(-1)!;
  const dtypes: TorchDtype[] = device === "cuda" ? ["float16", "float32"] : ["float32"];
  const made: EditRun[] = [];
  const note = (run: EditRun): void => {
    made.push(run);
    const { prepare, edit } = run.costs;
    console.error(`${run.program}: ${(prepare.seconds + edit.seconds).toFixed(1)} s`);
  };
  for (let run = 0; run < runs; run++) {
    const model = await loadModel(folder, { device });
    let own: Edited;
    try {
      own = await model.programs.during(["unet", "vae", "text"], async () => {
        await warmUp(model, what, pair);
        return makeEdit(model, what, pair);
      });
      note({ program: "this engine, float32", costs: own.costs, memory: memoryOf(model.engine.pid) });
    } finally {
      await model.close();
    }
    if (python === undefined) continue;
    const photo = join(scratch, "photo.png");
    writeFileSync(photo, await encodePng(own.photo));
    for (const dtype of dtypes) {
      const peer = editInTorch(python, folder, photo, own, scratch, {
        device: device === "cuda" ? "cuda" : "cpu",
        dtype,
      });
      note({ program: `PyTorch ${peer.torch} eager, ${dtype}`, costs: peer, memory: peer.memory });
    }
  }
  return made;
}
