import type { Picture } from "../../src/core/index.ts";
import { type Model, openModel, type Platform } from "../../src/diffusion/index.ts";
import { baret, edit, type Prepared, plain, planPrepared, prepare } from "../../src/editing/index.ts";
import type { Engine, Session } from "../../src/runtime/index.ts";
import { type ByteSource, type Folder, openCheckpoint } from "../../src/weights/index.ts";

// With fixed settings, so that both sides compute the same.
const methods = {
  baret: {
    method: baret,
    editOnce: (model: Model, prepared: Prepared) =>
      edit(baret, model, prepared, { alpha: [0.8, 0.1], selfSteps: 0.3, crossSteps: 0.6 }),
  },
  plain: { method: plain, editOnce: (model: Model, prepared: Prepared) => edit(plain, model, prepared) },
};

export type MethodName = keyof typeof methods;
export const methodNames = Object.keys(methods) as MethodName[];

/** Photo, prompt and options of the edit. */
export interface EditTask {
  readonly picture: Picture;
  readonly method: MethodName;
  readonly target: string;
  readonly steps: number;
}

/** Calls of one program. */
export interface Calls {
  calls: number;
  seconds: number;
}

export interface Edited {
  readonly picture: Picture;
  readonly threads: number;
  /** Seconds with loading the programs. */
  readonly prepareSeconds: number;
  readonly editSeconds: number;
  /** By the names of the programs. */
  readonly calls: Readonly<Record<string, Calls>>;
}

/** Returns the same engine, which also adds up the calls of its programs. */
function counting(engine: Engine, all: Record<string, Calls>): Engine {
  const timed =
    <A extends unknown[], R>(name: string, work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const began = performance.now();
      const result = await work(...args);
      all[name] ??= { calls: 0, seconds: 0 };
      all[name].calls++;
      all[name].seconds += (performance.now() - began) / 1000;
      return result;
    };
  return {
    device: engine.device,
    threads: engine.threads,
    precision: engine.precision,
    linear: engine.linear,
    versions: engine.versions,
    traffic: engine.traffic,
    pid: engine.pid,
    load: async (program, options): Promise<Session> => {
      const session = await timed("loading programs", engine.load.bind(engine))(program, options);
      return {
        name: session.name,
        inputs: session.inputs,
        outputs: session.outputs,
        run: timed(session.name, session.run.bind(session)),
        runKeeping: timed(session.name, session.runKeeping.bind(session)),
        release: () => session.release(),
      };
    },
    mapWeights: timed("mapping weights", engine.mapWeights.bind(engine)),
    checkMemory: engine.checkMemory.bind(engine),
    put: engine.put.bind(engine),
    read: engine.read.bind(engine),
    close: () => engine.close(),
  };
}

/** Edits a photo in a new engine, as the command line does without a cache of prepared photos. */
export async function oneEdit(
  place: Folder | ByteSource,
  platform: Platform,
  startEngine: () => Promise<Engine>,
  { picture, method: name, target, steps }: EditTask,
): Promise<Edited> {
  const calls: Record<string, Calls> = {};
  const { method, editOnce } = methods[name];
  const model = await openModel(await openCheckpoint(place), {
    name: "menagerie",
    platform,
    startEngine: async () => counting(await startEngine(), calls),
  });
  try {
    const began = performance.now();
    const plan = await planPrepared(method, model, picture, { target, options: { steps } });
    const prepared = await prepare(method, model, picture, plan);
    const between = performance.now();
    const { images } = await editOnce(model, prepared);
    const ended = performance.now();
    return {
      picture: images.edit,
      threads: model.engine.threads,
      prepareSeconds: (between - began) / 1000,
      editSeconds: (ended - between) / 1000,
      calls,
    };
  } finally {
    await model.close();
  }
}
