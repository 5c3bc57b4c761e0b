import type { Engine, EngineOptions } from "../../../src/runtime/index.ts";
import type { Folder } from "../../../src/weights/index.ts";
import { interruption } from "./interruption.ts";
import { closeModels, models } from "./models.ts";
import { residents } from "./residents.ts";
import { programs } from "./sessions.ts";
import { weights } from "./weights.ts";

/** An engine as the promises need it. */
export interface Kit {
  /** Starts an engine. Every promise may start its own. */
  start(options?: Pick<EngineOptions, "signal" | "threads">): Promise<Engine>;
  /** An engine that promises share. It has an idle process when a promise begins. */
  readonly engine: Engine;
  /** Products of two 1024x1024 matrices in a second, about. */
  readonly matmulsPerSecond: number;
  /** True for a device without hardware, which compiles and runs a model's programs for minutes: it computes fewer steps. */
  readonly isSlow?: boolean;
  /** Ends an engine's process from outside while it is idle. Resolves when the engine has noticed it. */
  kill(engine: Engine): Promise<void>;
  /** Opens test/fixtures/tiny-sd1. */
  tinyModel(): Promise<Folder>;
}

/** A promise of every engine. Its name is a sentence. */
export interface EnginePromise {
  readonly name: string;
  keep(kit: Kit): Promise<void>;
  /** Why engines on a device cannot be held to it. */
  readonly not?: Readonly<Record<string, string>>;
}

/** The promises of every engine, in whatever process and on whatever device it computes. */
export const promises: readonly EnginePromise[] = [...programs, ...residents, ...weights, ...interruption, ...models];

/** Ends the engines of a kit. */
export async function closeKit(kit: Kit): Promise<void> {
  await closeModels(kit);
  await kit.engine.close();
}
