import type { InferenceSession } from "onnxruntime-node";

/** An array that travels beside a message. */
export interface ArrayHead {
  name: string;
  dtype: "float32" | "int64";
  shape: readonly number[];
}

/** An array of float32 that the child process keeps. Numbered by the engine. */
export interface ResidentHead {
  name: string;
  resident: number;
}

/** What the engine asks of its child process. Sessions are numbered by the engine. */
export type Request = Work & {
  /** Arrays that nobody needs any more. They are freed before the request is carried out. */
  drop?: readonly number[];
};

type Work =
  /** The model is at `path`, or the message's one array. */
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
  /** Keeps the message's arrays. */
  | { kind: "put"; tensors: readonly (ArrayHead & ResidentHead)[] }
  | { kind: "read"; resident: number };

/** What the child answers: "ready" once when it starts, then one reply to each request. */
export type Reply =
  | { kind: "ready"; onnxruntime: string; devices: string[] }
  | { kind: "done"; outputs: ArrayHead[] }
  | { kind: "failed"; message: string };
