import { sharedWork, type Tensor, tensor } from "../core/index.ts";
import * as g from "../graph/index.ts";
import { type Engine, type Feeds, loadGraph, type Resident, type Session } from "../runtime/index.ts";
import {
  type AdamValues,
  type Arithmetic,
  beta1,
  beta2,
  epsilon,
  type Move,
  type OpenArithmetic,
  type Run,
  type Value,
} from "./arithmetic.ts";

type Outputs = Record<string, g.Node>;

const scalar = (value: number): Tensor => tensor([], Float32Array.of(value));

/** Inputs of a graph for values: `x0`, `x1`, … */
const inputsFor = (name: string, values: readonly Value[]): g.Node[] =>
  values.map(({ shape }, i) => g.input(`${name}${i}`, shape));
const feedsFor = (name: string, values: readonly Value[]): Feeds =>
  Object.fromEntries(values.map((value, i) => [`${name}${i}`, value]));
const shapesOf = (values: readonly Value[]): string => values.map(({ shape }) => `[${shape}]`).join(" ");

/** next0, next1, …: each latent moved by the matrix product of its coefficients [P, P + R] with all latents and predictions. */
function advancing(latents: readonly Value[], predictions: readonly Value[]): Outputs {
  const all = [...inputsFor("z", latents), ...inputsFor("f", predictions)];
  const [, ...shape] = all[0].shape as number[];
  const length = shape.reduce((n, d) => n * d, 1);
  const flat = g.concat(
    all.map((x) => g.reshape(x, [x.shape[0], length])),
    0,
  );
  const next = g.matmul(g.input("moves", [latents.length, g.count([flat.shape[0]])]), flat);
  const rows = latents.map((_, p) => [`next${p}`, g.reshape(g.slice(next, 0, p, p + 1), [1, ...shape])]);
  // NaN if a number is, infinite if one is. Its answer also tells that the step is done, which progress waits for.
  return { ...Object.fromEntries(rows), size: g.meanSquare(next) };
}

/** One step of Adam with moments as Kingma & Ba write them. */
function adam(shape: readonly number[]): Outputs {
  const [value, first, second, gradient] = ["value", "first", "second", "gradient"].map((name) => g.input(name, shape));
  const [rate, eps] = ["rate", "eps"].map((name) => g.input(name, []));
  const state = { value, first: g.mul(first, 1 / (1 - beta1)), second: g.mul(second, 1 / (1 - beta2)) };
  const next = g.adamStep(state, gradient, { rate, eps, decay: rate }, { beta1, beta2 });
  return {
    nextValue: next.value,
    nextFirst: g.mul(next.first, 1 - beta1),
    nextSecond: g.mul(next.second, 1 - beta2),
  };
}

/**
 * Arithmetic on the device, by small programs without weights. From step to step only scalars are moved: coefficients to the
 * device; losses, and one number for each step of DDIM, from it.
 */
export class DeviceArithmetic implements OpenArithmetic {
  private readonly engine: Engine;
  private readonly sessions = new Map<string, Promise<Session>>();

  constructor(engine: Engine) {
    this.engine = engine;
  }

  async during<T>(work: (math: Arithmetic) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const scope = new Scope(this.engine, (key, build) => this.open(key, build, signal), signal);
    try {
      return await work(scope);
    } finally {
      scope.close();
    }
  }

  /** Opens the program of a key, which names what it computes and the shapes of its inputs. */
  private open(key: string, build: () => Outputs, signal: AbortSignal | undefined): Promise<Session> {
    const findOrLoad = (): Promise<Session> => {
      const known = this.sessions.get(key);
      if (known) return known;
      const session = loadGraph(this.engine, build(), { name: key, signal });
      this.sessions.set(key, session);
      session.catch(() => this.sessions.delete(key));
      return session;
    };
    return sharedWork(findOrLoad, signal, `loading ${key}`);
  }
}

/** Arithmetic whose values are freed together. */
class Scope implements Arithmetic {
  private readonly engine: Engine;
  private readonly open: (key: string, build: () => Outputs) => Promise<Session>;
  private readonly signal: AbortSignal | undefined;
  private readonly made = new Set<Resident>();

  constructor(engine: Engine, open: Scope["open"], signal: AbortSignal | undefined) {
    this.engine = engine;
    this.open = open;
    this.signal = signal;
  }

  async put(tensors: readonly Tensor[]): Promise<Value[]> {
    return this.keep(await this.engine.put(tensors, this.signal));
  }

  async read(values: readonly Value[]): Promise<Tensor[]> {
    const residents = values.filter((value): value is Resident => !("data" in value));
    const moved = (await this.engine.read(residents, this.signal)).values();
    return values.map((value) => ("data" in value ? value : moved.next().value!));
  }

  release(...values: readonly Value[]): void {
    for (const value of values) {
      if ("data" in value) continue;
      value.release();
      this.made.delete(value);
    }
  }

  close(): void {
    this.release(...this.made);
  }

  async run(session: Session, { feeds, values, tensors = [] }: Run) {
    const options = { outputs: tensors, finite: true, signal: this.signal };
    const { kept, outputs } = await session.runKeeping(feeds, values, options);
    this.keep(Object.values(kept));
    return { values: kept, tensors: outputs };
  }

  async stack(rows: readonly Value[]): Promise<Value> {
    if (rows.length === 1) return rows[0];
    const own = [...new Set(rows)];
    const places = rows.map((row) => own.indexOf(row));
    const build = (): Outputs => {
      const inputs = inputsFor("x", own);
      const batch = places.map((place) => inputs[place]);
      return { batch: g.concat(batch, 0) };
    };
    const { batch } = await this.values(`stack ${places} of ${shapesOf(own)}`, build, feedsFor("x", own));
    return batch;
  }

  async unstack(batch: Value): Promise<Value[]> {
    const count = batch.shape[0];
    if (count === 1) return [batch];
    const names = Array.from({ length: count }, (_, r) => `row${r}`);
    const build = (): Outputs => {
      const x = g.input("x", batch.shape);
      return Object.fromEntries(names.map((name, r) => [name, g.slice(x, 0, r, r + 1)]));
    };
    const rows = await this.values(`rows of ${shapesOf([batch])}`, build, { x: batch });
    return names.map((name) => rows[name]);
  }

  async combine(a: number, x: Value, b: number, y: Value): Promise<Value> {
    const build = (): Outputs => {
      const [p, q] = ["x", "y"].map((name) => g.input(name, x.shape));
      return { sum: g.add(g.mul(g.input("a", []), p), g.mul(g.input("b", []), q)) };
    };
    return (await this.values(`combine ${shapesOf([x])}`, build, { a: scalar(a), x, b: scalar(b), y })).sum;
  }

  async advance(latents: readonly Value[], predictions: readonly Value[], moves: readonly Move[]): Promise<Value[]> {
    const key = `step of ${shapesOf(latents)} by ${shapesOf(predictions)}`;
    const rows = moves.map(({ coefficients: { sample, output }, weights }, p) => [
      ...latents.map((_, q) => (p === q ? sample : 0)),
      ...weights.map((weight) => output * weight),
    ]);
    const matrix = tensor([rows.length, rows[0].length], Float32Array.from(rows.flat()));
    const feeds = { ...feedsFor("z", latents), ...feedsFor("f", predictions), moves: matrix };
    const session = await this.open(key, () => advancing(latents, predictions));
    const names = latents.map((_, p) => `next${p}`);
    const { values } = await this.run(session, { feeds, values: names, tensors: ["size"] });
    return names.map((name) => values[name]);
  }

  async meanSquaredError(a: Value, b: Value): Promise<number> {
    const build = (): Outputs => ({ y: g.meanSquare(g.sub(g.input("a", a.shape), g.input("b", b.shape))) });
    return this.number(`squared error of ${shapesOf([a])}`, build, { a, b });
  }

  async rootMeanSquare(x: Value): Promise<number> {
    const build = (): Outputs => ({ y: g.sqrt(g.meanSquare(g.input("x", x.shape))) });
    return this.number(`mean square of ${shapesOf([x])}`, build, { x });
  }

  async adam(state: AdamValues, gradient: Value, t: number, learningRate: number): Promise<AdamValues> {
    const { rate, eps } = g.adamScalars(t, learningRate, { beta1, beta2, eps: epsilon });
    const feeds = { ...state, gradient, rate: scalar(rate), eps: scalar(eps) };
    const { shape } = state.value;
    const next = await this.values(`Adam of [${shape}]`, () => adam(shape), feeds);
    return { value: next.nextValue, first: next.nextFirst, second: next.nextSecond };
  }

  private keep(residents: Resident[]): Resident[] {
    for (const one of residents) this.made.add(one);
    return residents;
  }

  /** Keeps all outputs of a small program on the device. */
  private async values(key: string, build: () => Outputs, feeds: Feeds): Promise<Record<string, Value>> {
    const session = await this.open(key, build);
    return (await this.run(session, { feeds, values: session.outputs.map(({ name }) => name) })).values;
  }

  /** Returns the only output of a small program, a number. */
  private async number(key: string, build: () => Outputs, feeds: Feeds): Promise<number> {
    const session = await this.open(key, build);
    return (await this.run(session, { feeds, values: [], tensors: ["y"] })).tensors.y.data[0];
  }
}
