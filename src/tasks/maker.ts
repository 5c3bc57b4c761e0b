import type { Work } from "../core/index.ts";
import { version } from "../core/index.ts";
import { type Model, modelHash } from "../diffusion/index.ts";
import type { Maker } from "./record.ts";

/** Returns program version, model and engine for the records of pictures. name, prediction, variant: as the user gave them. */
export async function makerOf(
  model: Model,
  { name = model.name, prediction, variant }: Partial<Pick<Maker["model"], "name" | "prediction" | "variant">> = {},
  work: Work = {},
): Promise<Maker> {
  const { device, threads, precision, linear, versions } = model.engine;
  return {
    version,
    model: { name, prediction, variant, sha256: await modelHash(model, work) },
    engine: { device, threads, precision, linear, onnxruntime: versions.onnxruntime },
  };
}
