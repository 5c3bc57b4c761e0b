import { BaretError, DeviceError, type Tensor, tensor } from "../core/index.ts";
import { add, type CompileOptions, compile, constant, input, linear, linearInt8, type Node } from "../graph/index.ts";
import { deviceAdvice } from "./deviceAdvice.ts";
import { type Engine, targetOf } from "./engine.ts";

interface Probe extends Pick<CompileOptions, "name" | "half"> {
  readonly x: Tensor;
  readonly y: (x: Node) => Node;
  /** The error's message if the device cannot compute it. */
  readonly problem: string;
  readonly advice: (found: string | undefined) => string | undefined;
}

/** Computes y of x on the device. Throws DeviceError with onnxruntime's reason if that fails. */
async function tried(engine: Engine, { name, half, x, y, problem, advice }: Probe, signal?: AbortSignal) {
  const outputs = { y: y(input("x", x.shape)) };
  const program = compile(outputs, { name, target: targetOf(engine.device), half, bind: () => "fed" });
  try {
    const session = await engine.load(program, { signal });
    const results = await session.run({ x }, { signal });
    await session.release();
    return results.y.data;
  } catch (cause) {
    if (!(cause instanceof BaretError) || cause.code === "cancelled" || cause.code === "device") throw cause;
    const { found } = cause.details;
    throw new DeviceError(problem, { where: engine.device, found, advice: advice(found), cause });
  }
}

/** Adds two numbers on the device. Throws DeviceError with onnxruntime's reason if that fails. */
export async function probeDevice(engine: Engine, signal?: AbortSignal): Promise<void> {
  const probe: Probe = {
    name: "the device's test",
    x: tensor([2], Float32Array.of(1, -2)),
    y: (x) => add(x, x),
    problem: "the device cannot be used here",
    advice: (found) => deviceAdvice(engine.device, found),
  };
  const y = await tried(engine, probe, signal);
  if (y[0] !== 2 || y[1] !== -4) throw new DeviceError("1 + 1 is not 2", { found: `${y[0]}` });
}

/**
 * Multiplies two small matrices in float16. A device without float16 loads such a program, and fails when it runs. Throws
 * DeviceError with onnxruntime's reason.
 */
export async function probeHalf(engine: Engine, signal?: AbortSignal): Promise<void> {
  const advice = "Leave the precision at float32, or use another device.";
  const probe: Probe = {
    name: "the device's test of float16",
    half: true,
    x: tensor([2, 2], Float32Array.of(1, 2, -3, 0.5)),
    y: (x) => linear(x, x),
    problem: "the device cannot compute in float16",
    advice: () => advice,
  };
  const found = `${[...(await tried(engine, probe, signal))]}`;
  if (found !== "5,-2,-2,9.25") {
    throw new DeviceError("float16 is wrong on the device", { where: engine.device, found, advice });
  }
}

/**
 * Multiplies bytes of the largest size. Kernels for CPUs without dot products of bytes add two products in 16 bits, which
 * overflows. Throws DeviceError then.
 */
export async function probeInt8(engine: Engine, signal?: AbortSignal): Promise<void> {
  const advice = "Leave the numbers of linear layers at float32.";
  const length = 64;
  const weight = Float32Array.from({ length: 2 * length }, (_, i) => (i < length ? 1 : -1));
  const probe: Probe = {
    name: "the CPU's test of 8 bits",
    x: tensor([2, length], new Float32Array(2 * length).fill(1)),
    y: (x) => linearInt8(x, constant(weight, [2, length])),
    problem: "the CPU cannot multiply in 8 bits",
    advice: () => advice,
  };
  const found = [...(await tried(engine, probe, signal))].map((value) => value.toPrecision(5));
  if (found.join() !== "64.000,-64.000,64.000,-64.000") {
    throw new DeviceError("the CPU's products of bytes overflow", {
      where: engine.device,
      found: found.join(", "),
      expected: "64 and -64 in turns",
      advice,
    });
  }
}
