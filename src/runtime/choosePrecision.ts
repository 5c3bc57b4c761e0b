import { BaretError, joinSignals, type Tensor, throwIfCancelled, type Warning } from "../core/index.ts";
import { compile } from "../graph/index.ts";
import {
  type Device,
  type Engine,
  knownPrecision,
  type Precision,
  type PrecisionChoice,
  precisions,
} from "./engine.ts";
import { formOf } from "./form.ts";
import { probeHalf } from "./probe.ts";
import { pieceOfUNet } from "./sampleGraphs.ts";

/** Largest error of the piece in float16, relative to the largest value. Rounding makes 1e-3. */
const LARGEST_ERROR = 1e-2;
/** float16 is of use if it takes at most this share of float32's time. */
const WORTH = 0.9;
/** Timed passes in each precision, in turns. The fastest counts, because the first one is slow. */
const RUNS = 4;
/** Both programs must be loaded and timed within so many milliseconds. */
const LIMIT_MS = 10_000;

/** The choice of "auto" on a device, and its reason. */
export interface ChosenPrecision {
  readonly precision: Precision;
  /** As a clause that "on webgpu" may follow: "float16 takes 0.52 of float32's time". */
  readonly because: string;
}

/** Precision of an engine to make, and the warning about it that its user should see. */
export type PrecisionFacts = Pick<Engine, "warnings"> & { readonly precision: Precision };

/**
 * Makes an engine in the precision that was asked for. "float16" is first tried on the device, and throws DeviceError if it fails.
 * "auto" makes it in float32 with a warning if float16 fails or is of no use. Throws CancelledError.
 */
export async function inPrecision<E extends Engine>(
  choice: PrecisionChoice,
  device: Device,
  make: (facts: PrecisionFacts) => E,
  signal?: AbortSignal,
): Promise<E> {
  if (knownPrecision({ device, precision: choice }) === "float32") return make({ precision: "float32" });
  const engine = make({ precision: "float16" });
  if (choice === "auto") {
    const { precision, because } = await automaticPrecision(engine, signal);
    return precision === "float16" ? engine : make({ precision, warnings: [float32Warning(device, because)] });
  }
  await probeHalf(engine, signal);
  return engine;
}

const float32Warning = (device: Device, because: string): Warning => ({
  code: "float32",
  message: `float32 is used, which takes more memory: ${because} on ${device}`,
  details: { where: device, because },
});

/**
 * Returns what "auto" chooses: float32 on the CPU, otherwise what a piece of a U-Net shows when it is computed in both precisions.
 * Throws CancelledError.
 */
export async function automaticPrecision(engine: Engine, signal?: AbortSignal): Promise<ChosenPrecision> {
  if (engine.device === "cpu") return { precision: "float32", because: "float16 is slower" };
  const limit = AbortSignal.timeout(LIMIT_MS);
  const limited = joinSignals(signal, limit);
  try {
    await probeHalf(engine, limited.signal);
    return await compared(engine, limited.signal);
  } catch (error) {
    throwIfCancelled(signal, "choosing the precision");
    if (!(error instanceof BaretError) || (error.code === "cancelled" && !limit.aborted)) throw error;
    const { found } = error.details;
    const reason = found === undefined ? "" : ` (${found})`;
    return {
      precision: "float32",
      because: limit.aborted ? "too slow to try float16" : `float16 cannot be computed${reason}`,
    };
  } finally {
    limited.release();
  }
}

/** Computes a piece of a U-Net in both precisions. */
async function compared(engine: Engine, signal: AbortSignal): Promise<ChosenPrecision> {
  const form = await formOf(engine, signal);
  const { name, outputs, feeds } = pieceOfUNet;
  const tried = await Promise.all(
    precisions.map(async (precision) => {
      const half = precision === "float16";
      const program = compile(outputs(), { name: `${name} in ${precision}`, half, bind: () => "fed", ...form });
      return { session: await engine.load(program, { signal }), milliseconds: Number.POSITIVE_INFINITY };
    }),
  );
  const results: Tensor[] = [];
  for (let run = 0; run < RUNS; run++) {
    for (const [i, one] of tried.entries()) {
      const began = performance.now();
      results[i] = (await one.session.run(feeds, { signal })).y;
      one.milliseconds = Math.min(one.milliseconds, performance.now() - began);
    }
  }
  for (const { session } of tried) await session.release();
  const [whole, half] = results;
  const share = tried[1].milliseconds / tried[0].milliseconds;
  return verdict(largestError(half, whole), share);
}

/** error: of float16, relative to the largest value; NaN if a result is NaN. share: float16's share of float32's time. */
export function verdict(error: number, share: number): ChosenPrecision {
  // A comparison with NaN is false.
  if (!(error <= LARGEST_ERROR)) {
    const found = Number.isFinite(error) ? `by ${error.toExponential(0)}` : "and is not finite";
    return { precision: "float32", because: `float16 differs from float32 ${found}` };
  }
  const because = `float16 takes ${share.toFixed(2)} of float32's time`;
  return { precision: share <= WORTH ? "float16" : "float32", because };
}

function largestError(found: Tensor, right: Tensor): number {
  let [largest, most] = [0, 0];
  right.data.forEach((value, i) => {
    // Math.max keeps NaN.
    largest = Math.max(largest, Math.abs(value));
    most = Math.max(most, Math.abs(found.data[i] - value));
  });
  return most / largest;
}
