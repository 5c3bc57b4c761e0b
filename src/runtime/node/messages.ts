import type { InferenceSession } from "onnxruntime-node";

/** An array that a message carries. */
export interface ArrayHead {
  name: string;
  dtype: "float32" | "int64";
  shape: readonly number[];
}

/** A float32 array that stays in the child process. The engine numbers them. */
export interface ResidentHead {
  name: string;
  resident: number;
}

/** A request of the engine to its child process. The engine numbers the sessions. */
export type Request = Work & {
  /** Arrays that are no longer needed. They are freed before the request is carried out. */
  drop?: readonly number[];
};

type Work =
  /** The model is at `path`, or it is the message's only array. */
  | { kind: "load"; session: number; path?: string; options: InferenceSession.SessionOptions }
  | {
      kind: "run";
      session: number;
      feeds: readonly (ArrayHead | ResidentHead)[];
      outputs: readonly string[];
      /** Outputs that stay in the child process. */
      keep: readonly ResidentHead[];
    }
  | { kind: "release"; session: number }
  /** Keeps the arrays of the message. */
  | { kind: "put"; tensors: readonly (ArrayHead & ResidentHead)[] }
  | { kind: "read"; residents: readonly number[] };

/** An answer of the child process: "ready" once after its start, then one reply per request. */
export type Reply =
  | { kind: "ready"; onnxruntime: string; devices: string[] }
  | { kind: "done"; outputs: ArrayHead[] }
  | { kind: "failed"; message: string };
