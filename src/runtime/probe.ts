import { BaretError, DeviceError, tensor } from "../core/index.ts";
import { add, compile, input, linear } from "../graph/index.ts";
import { deviceAdvice } from "./deviceAdvice.ts";
import { type Engine, targetOf } from "./engine.ts";

/** Adds two numbers on the device. Throws DeviceError with onnxruntime's reason if that fails. */
export async function probeDevice(engine: Engine, signal?: AbortSignal): Promise<void> {
  const x = input("x", [2]);
  const program = compile(
    { y: add(x, x) },
    { name: "the device's test", target: targetOf(engine.device), bind: () => "fed" },
  );
  try {
    const session = await engine.load(program, { signal });
    const { y } = await session.run({ x: tensor([2], Float32Array.of(1, -2)) }, { signal });
    await session.release();
    if (y.data[0] !== 2 || y.data[1] !== -4) throw new DeviceError("1 + 1 is not 2", { found: `${y.data[0]}` });
  } catch (cause) {
    if (!(cause instanceof BaretError) || cause.code === "cancelled" || cause.code === "device") throw cause;
    throw new DeviceError("the device cannot be used here", {
      where: engine.device,
      found: cause.details.found,
      advice: deviceAdvice(engine.device, cause.details.found),
      cause,
    });
  }
}

/**
 * Multiplies two small matrices in float16. A device without float16 loads such a program, and fails when it runs. Throws
 * DeviceError with onnxruntime's reason.
 */
export async function probeHalf(engine: Engine, signal?: AbortSignal): Promise<void> {
  const x = input("x", [2, 2]);
  const options = { name: "the device's test of float16", target: targetOf(engine.device), half: true };
  const program = compile({ y: linear(x, x) }, { ...options, bind: () => "fed" });
  const advice = "Leave the precision at float32, or use another device.";
  const where = engine.device;
  try {
    const session = await engine.load(program, { signal });
    const { y } = await session.run({ x: tensor([2, 2], Float32Array.of(1, 2, -3, 0.5)) }, { signal });
    await session.release();
    const found = `${[...y.data]}`;
    if (found !== "5,-2,-2,9.25") throw new DeviceError("float16 is wrong on the device", { where, found, advice });
  } catch (cause) {
    if (!(cause instanceof BaretError) || cause.code === "cancelled" || cause.code === "device") throw cause;
    throw new DeviceError("the device cannot compute in float16", { where, found: cause.details.found, advice, cause });
  }
}
