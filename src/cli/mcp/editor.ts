import type { Fit, Work } from "../../core/index.ts";

/** One edit, with paths that were checked. */
export interface EditInput {
  readonly photo: string;
  readonly prompt: string;
  readonly output: string;
  readonly method?: string;
  readonly source?: string;
  readonly fit: Fit;
  /** Options of the method by name. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** An edit that was written. */
export interface Edited {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

/** Where edits are made: by this process, or by a server. */
export interface Editor {
  /** Makes an edit and writes it to `output`. Throws as the library, CancelledError. */
  edit(input: EditInput, work: Required<Work>): Promise<Edited>;
  close(): Promise<void>;
}
