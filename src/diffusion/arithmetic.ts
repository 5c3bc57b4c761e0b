import { combine, EngineError, meanSquaredError, rootMeanSquare, stack, type Tensor, unstack } from "../core/index.ts";
import type { Feeds, Resident, Session } from "../runtime/index.ts";
import { applyStep, type StepCoefficients } from "./schedule.ts";

/** A tensor in this process, or one that stays in the engine, on the device. */
export type Value = Tensor | Resident;

/** The move of a latent in one sampling step: z' = sample·z + output·Σ_r weights[r]·f_r, over the rows f of the predictions. */
export interface Move {
  readonly coefficients: StepCoefficients;
  /** The guidance's weight of each row. Rows of weight 0 do not count. */
  readonly weights: readonly number[];
}

/** A tensor that Adam optimises, and its moments, all of one shape. */
export interface AdamValues {
  readonly value: Value;
  readonly first: Value;
  readonly second: Value;
}

/** Constants of Adam. Kingma & Ba 2015, algorithm 1. */
export const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];

/** A run of a program. */
export interface Run {
  readonly feeds: Readonly<Record<string, Value | Feeds[string]>>;
  /** Names of the outputs that become values. */
  readonly values: readonly string[];
  /** Names of the outputs that are returned as tensors. */
  readonly tensors?: readonly string[];
}

/**
 * The computations between predictions: guidance, steps of DDIM, losses, Adam. They are done in this process, or on the device,
 * where latents and embeddings then stay from step to step. Functions that return values throw ResidentError if the engine has
 * lost one that they read, NumericError if a latent contains NaN or infinity, CancelledError.
 */
export interface Arithmetic {
  /** Makes values of tensors. */
  put(tensors: readonly Tensor[]): Promise<Value[]>;
  /** Returns the numbers of values. A tensor may be that of `put`. */
  read(values: readonly Value[]): Promise<Tensor[]>;
  /** Frees the values. They are not used any more. */
  release(...values: readonly Value[]): void;
  /** Runs a program. */
  run(session: Session, run: Run): Promise<{ values: Record<string, Value>; tensors: Record<string, Tensor> }>;
  /** Stacks values [1, …] along the first axis. A value may come several times. */
  stack(rows: readonly Value[]): Promise<Value>;
  /** The rows of a batch, each [1, …]. */
  unstack(batch: Value): Promise<Value[]>;
  /** a·x + b·y, elementwise. */
  combine(a: number, x: Value, b: number, y: Value): Promise<Value>;
  /** Moves latents [1, …] by the predictions, batches of rows that are counted one after the other. */
  advance(latents: readonly Value[], predictions: readonly Value[], moves: readonly Move[]): Promise<Value[]>;
  /** Mean of (a − b)² over all elements. */
  meanSquaredError(a: Value, b: Value): Promise<number>;
  /** Root of the mean of squares. */
  rootMeanSquare(x: Value): Promise<number>;
  /** Takes step t of Adam, counted from 1, at a learning rate. */
  adam(state: AdamValues, gradient: Value, t: number, learningRate: number): Promise<AdamValues>;
}

/** Arithmetic for which calls can be cancelled, and whose values are freed in the end. */
export interface OpenArithmetic {
  /** Runs `work`, and then frees all values that it has made. */
  during<T>(work: (math: Arithmetic) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** Returns the tensor of a value. Throws EngineError if it stays in the engine. */
function here(value: Value): Tensor {
  if ("data" in value) return value;
  throw new EngineError("a tensor of the engine where one of this process is needed");
}

/** Returns the weighted sum of rows, in their order. */
function guided(rows: readonly Tensor[], weights: readonly number[]): Tensor {
  const terms = rows.flatMap((output, r) => (weights[r] === 0 ? [] : [{ weight: weights[r], output }]));
  const [first, second, ...rest] = terms;
  if (!second && first.weight === 1) return first.output;
  if (second && rest.length === 0) return combine(first.weight, first.output, second.weight, second.output);
  const data = Float32Array.from(first.output.data, (_, k) =>
    terms.reduce((sum, { weight, output }) => sum + weight * output.data[k], 0),
  );
  return { shape: first.output.shape, data };
}

function adamHere(
  { value, first, second }: Record<keyof AdamValues, Tensor>,
  gradient: Tensor,
  t: number,
  rate: number,
) {
  const [scale1, scale2] = [1 / (1 - beta1 ** t), 1 / (1 - beta2 ** t)];
  const empty = (): Tensor => ({ shape: value.shape, data: new Float32Array(value.data.length) });
  const next = { value: empty(), first: empty(), second: empty() };
  for (const [k, g] of gradient.data.entries()) {
    const m = beta1 * first.data[k] + (1 - beta1) * g;
    const v = beta2 * second.data[k] + (1 - beta2) * g ** 2;
    next.first.data[k] = m;
    next.second.data[k] = v;
    next.value.data[k] = value.data[k] - (rate * m * scale1) / (Math.sqrt(v * scale2) + epsilon);
  }
  return next;
}

/** Arithmetic in this process, in double precision, with one rounding for each operation. */
const arithmeticHere = (signal: AbortSignal | undefined): Arithmetic => ({
  put: async (tensors) => [...tensors],
  read: async (values) => values.map(here),
  release: () => undefined,
  run: async (session, { feeds, values, tensors = [] }) => {
    const outputs = [...values, ...tensors];
    const results = await session.run(feeds, { outputs, finite: true, signal });
    const chosen = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, results[name]]));
    return { values: chosen(values), tensors: chosen(tensors) };
  },
  stack: async (rows) => stack(rows.map(here)),
  unstack: async (batch) => unstack(here(batch)),
  combine: async (a, x, b, y) => combine(a, here(x), b, here(y)),
  advance: async (latents, predictions, moves) => {
    const rows = predictions.flatMap((batch) => unstack(here(batch)));
    return latents.map((z, p) => applyStep(moves[p].coefficients, here(z), guided(rows, moves[p].weights)));
  },
  meanSquaredError: async (a, b) => meanSquaredError(here(a), here(b)),
  rootMeanSquare: async (x) => rootMeanSquare(here(x)),
  adam: async ({ value, first, second }, gradient, t, learningRate) =>
    adamHere({ value: here(value), first: here(first), second: here(second) }, here(gradient), t, learningRate),
});

/** Arithmetic in this process. */
export const openArithmeticHere: OpenArithmetic = { during: (work, signal) => work(arithmeticHere(signal)) };
