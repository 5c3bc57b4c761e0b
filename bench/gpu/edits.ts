/** Whole edits with BARET on a device, in turns with the same in PyTorch on that device. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DeviceError } from "../../src/core/index.ts";
import { loadModel } from "../../src/diffusion/node/index.ts";
import { encodePng } from "../../src/image/node/index.ts";
import type { Device, Precision } from "../../src/runtime/index.ts";
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

/** A device without float16 is no reason to stop. */
function notWithoutHalf(error: unknown): void {
  if (!(error instanceof DeviceError)) throw error;
  console.error(`this engine, float16: ${error.message}`);
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
  const editIn = async (precision: Precision): Promise<Edited> => {
    const model = await loadModel(folder, { device, precision });
    try {
      const own = await model.programs.during(["unet", "vae", "text"], async () => {
        await warmUp(model, what, pair);
        return makeEdit(model, what, pair);
      });
      note({ program: `this engine, ${precision}`, costs: own.costs, memory: memoryOf(model.engine.pid) });
      for (const { message } of model.warnings) console.error(`  ${message}`);
      return own;
    } finally {
      await model.close();
    }
  };
  for (let run = 0; run < runs; run++) {
    const own = await editIn("float32");
    // A CPU is slower in float16.
    if (device !== "cpu") await editIn("float16").catch(notWithoutHalf);
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
