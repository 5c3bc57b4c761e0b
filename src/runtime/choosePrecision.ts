import { DeviceError, type Warning } from "../core/index.ts";
import type { Device, Engine, Precision, PrecisionChoice } from "./engine.ts";
import { probeHalf } from "./probe.ts";

/** What making an engine takes: its precision, and what its user should know of that. */
export type PrecisionFacts = Pick<Engine, "warnings"> & { readonly precision: Precision };

/**
 * Makes an engine in the precision that was asked for. float16 is first tried on the device. If it fails there, "auto" takes
 * float32 with a warning, and "float16" throws DeviceError. Throws CancelledError.
 */
export async function inPrecision<E extends Engine>(
  choice: PrecisionChoice,
  device: Device,
  make: (facts: PrecisionFacts) => E,
  signal?: AbortSignal,
): Promise<E> {
  if (choice === "float32" || (choice === "auto" && device === "cpu")) return make({ precision: "float32" });
  const engine = make({ precision: "float16" });
  try {
    await probeHalf(engine, signal);
    return engine;
  } catch (error) {
    if (choice === "float16" || !(error instanceof DeviceError)) throw error;
    return make({ precision: "float32", warnings: [float32Warning(error)] });
  }
}

const float32Warning = ({ details: { where, found } }: DeviceError): Warning => ({
  code: "float32",
  message: `${where ?? "the device"} cannot compute in float16 (${found ?? "no reason given"}), so float32 is used: it takes more memory and time`,
  details: { where, found },
});
