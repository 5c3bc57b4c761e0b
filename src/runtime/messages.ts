import type { AdamNumbers } from "../graph/index.ts";
import type { AdamUpdate } from "./engine.ts";

/** An array that a message carries. */
export interface ArrayHead {
  name: string;
  dtype: "float32" | "int64";
  shape: readonly number[];
}

/** A float32 array that stays in the engine's process. The engine numbers them. */
export interface ResidentHead {
  name: string;
  resident: number;
}

/**
 * A request of the engine to its process. The engine numbers the sessions. Load: what the platform's process needs to load a
 * program, beside the arrays of the message.
 */
export type Request<Load = unknown> = (
  | { kind: "load"; session: number; load: Load }
  | {
      kind: "run";
      session: number;
      feeds: readonly (ArrayHead | ResidentHead)[];
      outputs: readonly string[];
      /** Outputs that stay in the process. */
      keep: readonly ResidentHead[];
    }
  | { kind: "release"; session: number }
  /** Keeps the arrays of the message. together: in one memory, where "adam" can change them. */
  | { kind: "put"; tensors: readonly (ArrayHead & ResidentHead)[]; together?: boolean }
  /** A step of Adam on arrays that are kept. The arrays of a weight and its moments were put together. */
  | { kind: "adam"; updates: readonly AdamUpdate<number>[]; numbers: AdamNumbers }
  | { kind: "read"; residents: readonly number[] }
) & {
  /** Arrays that are no longer needed. They are freed before the request is carried out. */
  drop?: readonly number[];
};

/** An answer of the process: "ready" once after its start, then one reply per request. */
export type Reply =
  /** largestBuffer: most bytes of one buffer of the device, if it is known. */
  | { kind: "ready"; onnxruntime: string; devices: string[]; largestBuffer?: number }
  | { kind: "done"; outputs: ArrayHead[] }
  | { kind: "failed"; message: string };

/** A reply with the arrays of its message. Each has memory of its own. */
export interface Answer<R extends Reply = Reply> {
  reply: R;
  arrays: Uint8Array<ArrayBuffer>[];
}
