import type { Work } from "../../core/index.ts";
import type { LpipsNet } from "../../models/index.ts";
import type { Engine } from "../../runtime/index.ts";
import { findModel, openLocal, openLocalFile, openPackageFile } from "../../storage/node/index.ts";
import { CLIP_MERGES } from "../../text/index.ts";
import { Clip } from "../clip.ts";
import { Judge } from "../judge.ts";
import { JudgeDistance, type JudgeDistanceOptions } from "../judgeDistance.ts";
import { Lpips } from "../lpips.ts";
import { Structure, type StructureOptions } from "../structure.ts";

const merges = () => openPackageFile(CLIP_MERGES);

/** Loads a CLIP model by its name or folder, as findModel finds it. Throws as Clip.load, and CheckpointError if there is none. */
export const loadClip = async (engine: Engine, name: string, work: Work = {}): Promise<Clip> =>
  Clip.load(engine, await openLocal((await findModel(name)).path), { ...work, merges });

/** Loads a judge from its folder. Throws as Judge.load, and CheckpointError if the folder does not exist. */
export const loadJudge = async (engine: Engine, path: string, work: Work = {}): Promise<Judge> =>
  Judge.load(engine, await openLocal(path), { ...work, merges });

/** Loads a judge's distance from its folder. Throws as JudgeDistance.load, and CheckpointError if the folder does not exist. */
export const loadJudgeDistance = async (
  engine: Engine,
  path: string,
  options: Omit<JudgeDistanceOptions, "merges"> = {},
): Promise<JudgeDistance> => JudgeDistance.load(engine, await openLocal(path), { ...options, merges });

/** Paths of the files with the weights of LPIPS. */
export interface LpipsFiles {
  /** torchvision's state dict in safetensors. */
  readonly trunk: string;
  /** The `lpips` package's own file, or the same weights in safetensors. */
  readonly linear: string;
}

/** Loads LPIPS from two files. Throws as Lpips.load. */
export const loadLpips = (engine: Engine, net: LpipsNet, { trunk, linear }: LpipsFiles, work: Work = {}) =>
  Lpips.load(engine, net, { trunk: () => openLocalFile(trunk), linear: () => openLocalFile(linear) }, work);

/** Loads DINO from a safetensors file. Throws as Structure.load. */
export const loadStructure = (engine: Engine, path: string, options: StructureOptions = {}): Promise<Structure> =>
  Structure.load(engine, () => openLocalFile(path), options);
