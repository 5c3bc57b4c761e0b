import type { InferenceSession } from "onnxruntime-node";

/** An array that travels beside a message. */
export interface ArrayHead {
  name: string;
  dtype: "float32" | "int64";
  shape: readonly number[];
}

/** What the engine asks of its child process. Sessions are numbered by the engine. */
export type Request =
  /** The model is at `path`, or the message's one array. */
  | { kind: "load"; session: number; path?: string; options: InferenceSession.SessionOptions }
  | { kind: "run"; session: number; feeds: ArrayHead[]; outputs: readonly string[] }
  | { kind: "release"; session: number };

/** What the child answers: "ready" once when it starts, then one reply to each request. */
export type Reply =
  | { kind: "ready"; onnxruntime: string; devices: string[] }
  | { kind: "done"; outputs: ArrayHead[] }
  | { kind: "failed"; message: string };
