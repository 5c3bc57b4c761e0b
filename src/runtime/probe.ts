import { BaretError, DeviceError, tensor } from "../core/index.ts";
import { add, compile, input } from "../graph/index.ts";
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
