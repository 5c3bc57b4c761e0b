import { create, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { InferenceSession, type Tensor } from "onnxruntime-node";
import type { Device } from "../engine.ts";
import { ON_DEVICE } from "./onDevice.ts";

/** Moves float32 tensors between the memory of this process and the device's. */
export interface DeviceCopies {
  /** Returns a tensor where the device computes: the same one, or a copy. */
  toDevice(tensor: Tensor): Promise<Tensor>;
  /** Returns a tensor of this process: the same one, or a copy. */
  toHost(tensor: Tensor): Promise<Tensor>;
}

/** Devices whose results onnxruntime leaves in this process. It has no way to keep those of CUDA on the card. */
const here: DeviceCopies = { toDevice: async (tensor) => tensor, toHost: async (tensor) => tensor };

/** A program that returns its input, a float32 tensor of any shape. */
function copying(): Uint8Array {
  const float32 = { value: { case: "tensorType" as const, value: { elemType: 1 } } };
  const graph = {
    name: "copy",
    node: [{ opType: "Identity", input: ["x"], output: ["y"] }],
    input: [{ name: "x", type: float32 }],
    output: [{ name: "y", type: float32 }],
  };
  const model = { irVersion: 10n, opsetImport: [{ domain: "", version: 21n }], graph };
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, model));
}

/**
 * Copies of WebGPU by programs whose outputs lie in the wanted place: in onnxruntime-node 1.30, reading a tensor of the device
 * directly ends the process.
 */
class GpuCopies implements DeviceCopies {
  private readonly sessions = new Map<string, Promise<InferenceSession>>();

  // onnxruntime has no buffers of no bytes.
  async toDevice(tensor: Tensor): Promise<Tensor> {
    return tensor.location === ON_DEVICE || tensor.size === 0 ? tensor : this.copy(tensor, ON_DEVICE);
  }

  async toHost(tensor: Tensor): Promise<Tensor> {
    return tensor.location === ON_DEVICE ? this.copy(tensor, "cpu") : tensor;
  }

  private async copy(x: Tensor, place: typeof ON_DEVICE | "cpu"): Promise<Tensor> {
    const session =
      this.sessions.get(place) ??
      InferenceSession.create(copying(), {
        executionProviders: ["webgpu"],
        preferredOutputLocation: place,
        logSeverityLevel: 3,
      });
    this.sessions.set(place, session);
    return (await (await session).run({ x })).y;
  }
}

export const copiesOf = (device: Device): DeviceCopies => (device === "webgpu" ? new GpuCopies() : here);
