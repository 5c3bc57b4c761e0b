import type { JobResult, MadePicture } from "../api/index.ts";
import type { Reported } from "../queue.ts";

/** A finished picture: a PNG file. */
export type MadeFile = Omit<MadePicture, "picture"> & {
  readonly file: string;
  readonly width: number;
  readonly height: number;
};

/** An event of a job. Pictures are files. */
export type RunnerEvent =
  | Exclude<Reported, { readonly type: "picture" }>
  | { readonly type: "picture"; readonly made: MadeFile };

/** Result of a job. Pictures are files. */
export type RunnerResult = Omit<JobResult, "pictures" | "strip"> & {
  readonly pictures: readonly MadeFile[];
  readonly strip?: readonly MadeFile[];
};

/** A preparation that a job needs, and the name of the file in which its steps are kept. */
export interface NeededPreparation {
  readonly key: string;
  readonly file: string;
  readonly method: string;
  readonly target: string;
}
