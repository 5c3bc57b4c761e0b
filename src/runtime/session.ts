import { EngineError, GraphError, type IntTensor, NumericError, type Tensor } from "../core/index.ts";
import { fedShape, withBatch } from "../graph/index.ts";
import type { Feeds, LoadableProgram, RunOptions, Session } from "./engine.ts";
import { batchOfFeeds, checkFeeds } from "./feeds.ts";
import type { Host, Loading } from "./host.ts";
import type { ArrayHead, ResidentHead } from "./messages.ts";
import type { EngineProcess } from "./process.ts";
import { bytesOf, EngineResident, isResident } from "./resident.ts";

let count = 0;

/** A program in the processes of an engine, which loads it again if its process was replaced. */
export class EngineSession implements Session {
  readonly name: string;
  readonly inputs: LoadableProgram["inputs"];
  readonly outputs: LoadableProgram["outputs"];
  private readonly id = count++;
  private readonly host: Host;
  private readonly loading: Loading;
  /** The process that has loaded it. Another process must load it again. */
  private loadedIn: EngineProcess | undefined;
  private released = false;

  private constructor(host: Host, { name, inputs, outputs }: LoadableProgram, loading: Loading) {
    this.host = host;
    this.loading = loading;
    this.name = name;
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /** Throws what `Engine.load` throws. Nothing stays loaded then. */
  static async load(
    host: Host,
    program: LoadableProgram,
    loading: Loading,
    signal?: AbortSignal,
  ): Promise<EngineSession> {
    const strange = program.outputs.filter(({ dtype }) => dtype !== "float32").map(({ name }) => name);
    if (strange.length > 0) {
      throw new GraphError("an output is not float32", { where: program.name, found: strange.join(", ") });
    }
    const session = new EngineSession(host, program, loading);
    try {
      await host.exclusive(`loading ${program.name}`, signal, (process) => session.loadInto(process));
    } catch (error) {
      await session.release();
      throw error;
    }
    return session;
  }

  async run(feeds: Feeds, { outputs, finite, signal }: RunOptions = {}): Promise<Record<string, Tensor>> {
    const all = outputs ?? this.outputs.map(({ name }) => name);
    return (await this.runKeeping(feeds, [], { outputs: all, finite, signal })).outputs;
  }

  async runKeeping(
    feeds: Feeds,
    keep: readonly string[],
    { outputs = [], finite = false, signal }: RunOptions = {},
  ): Promise<{ outputs: Record<string, Tensor>; kept: Record<string, EngineResident> }> {
    if (this.released) throw new EngineError("the program was released and cannot run", { where: this.name });
    checkFeeds(this, feeds);
    this.requireOutputs([...outputs, ...keep]);
    const results = await this.host.exclusive(`running ${this.name}`, signal, async (process) => {
      if (this.loadedIn !== process) await this.loadInto(process);
      return this.call(process, feeds, outputs, keep);
    });
    if (finite) this.requireFinite(results.outputs);
    return results;
  }

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    // If the program was never loaded, or its process has ended, nothing is to be freed.
    if (this.loadedIn && !this.loadedIn.isEnding) {
      await this.host.exclusive(`releasing ${this.name}`, undefined, async (process) => {
        if (this.loadedIn === process) await process.request({ kind: "release", session: this.id });
      });
    }
    await this.loading.release();
  }

  private requireOutputs(names: readonly string[]): void {
    const known = this.outputs.map(({ name }) => name);
    const unknown = names.filter((name) => !known.includes(name));
    if (unknown.length === 0) return;
    throw new GraphError("no such outputs", {
      where: this.name,
      found: unknown.join(", "),
      expected: `some of ${known.join(", ")}`,
    });
  }

  private async loadInto(process: EngineProcess): Promise<void> {
    await this.loading.into(process, this.id);
    this.loadedIn = process;
  }

  private async call(process: EngineProcess, feeds: Feeds, outputs: readonly string[], keep: readonly string[]) {
    const heads: (ArrayHead | ResidentHead)[] = [];
    const arrays: Uint8Array[] = [];
    for (const { name, dtype } of this.inputs) {
      const fed = feeds[name];
      if (isResident(fed)) {
        fed.requireIn(process, `${this.name}, "${name}"`);
        heads.push({ name, resident: fed.id });
      } else {
        heads.push({ name, dtype, shape: fedShape({ shape: fed.shape, dtype }) });
        arrays.push(bytesOf(fed as Tensor | IntTensor));
      }
    }
    const rows = batchOfFeeds(this.inputs, feeds);
    const kept = keep.map((name): [string, EngineResident] => {
      const { shape } = this.outputs.find((output) => output.name === name)!;
      return [name, new EngineResident(this.host, process, withBatch(shape, rows))];
    });
    const toKeep = kept.map(([name, { id }]) => ({ name, resident: id }));
    const asked = { where: this.name, problem: "failed" };
    const run = { kind: "run", session: this.id, feeds: heads, outputs, keep: toKeep } as const;
    const answer = await this.host.move(process, asked, run, arrays);
    const results = answer.reply.outputs.map(({ name, shape }, i): [string, Tensor] => [
      name,
      { shape, data: new Float32Array(answer.arrays[i].buffer) },
    ]);
    return { outputs: Object.fromEntries(results), kept: Object.fromEntries(kept) };
  }

  private requireFinite(results: Record<string, Tensor>): void {
    const broken = Object.entries(results)
      .map(([name, { data }]) => ({
        name,
        size: data.length,
        bad: data.reduce((n, x) => n + (Number.isFinite(x) ? 0 : 1), 0),
      }))
      .filter(({ bad }) => bad > 0)
      .map(({ name, size, bad }) => `${bad} of ${size} in "${name}"`);
    if (broken.length > 0) {
      throw new NumericError("the results contain NaN or infinity", {
        where: this.name,
        found: broken.join(", "),
        advice: "The model's weights are damaged, or overflow: try its fp32 files.",
      });
    }
  }
}
