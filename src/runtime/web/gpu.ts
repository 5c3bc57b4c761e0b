/** A device of WebGPU with the limits of its adapter. */
export interface Gpu {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  /** The reason, if the device was lost. */
  readonly lost: string | undefined;
  /** Copies bytes into a buffer that onnxruntime can read. */
  upload(bytes: Uint8Array<ArrayBuffer>): GPUBuffer;
}

/** Adapters that are programs on the CPU, some 300 times slower than WebAssembly. */
const softwareNames = /swiftshader|llvmpipe|lavapipe|basic render/i;

/** Flags STORAGE, COPY_SRC and COPY_DST of GPUBufferUsage, which the library of types lacks. */
const STORAGE = 0x80 | 0x4 | 0x8;

/** "NVIDIA ampere", or what else the browser tells. */
const nameOf = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  [...new Set([vendor, architecture, device, description])].filter((word) => word !== "").join(" ") || "without a name";

/**
 * Opens the most powerful adapter. Throws Error if there is none, or if it is a program on the CPU and `software` is false.
 */
export async function openGpu(software: boolean): Promise<Gpu> {
  if (!navigator.gpu)
    throw new Error("this browser has no WebGPU, or the page is not served over HTTPS or from localhost");
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("the browser offers no adapter for WebGPU");
  const name = nameOf(adapter.info);
  if (!software && (adapter.info.isFallbackAdapter || softwareNames.test(name))) {
    throw new Error(`the only adapter is a program on the CPU: ${name}`);
  }
  const requiredLimits: Record<string, number> = {};
  for (const limit in adapter.limits) {
    const value = adapter.limits[limit as keyof GPUSupportedLimits];
    if (typeof value === "number") requiredLimits[limit] = value;
  }
  const requiredFeatures = [...adapter.features] as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  let lost: string | undefined;
  void device.lost.then(({ reason, message }) => {
    lost = `${name}: ${message || reason}`;
  });
  return {
    adapter,
    device,
    get lost() {
      return lost;
    },
    upload: (bytes) => {
      // Sizes of buffers that are written are multiples of 4, and onnxruntime binds whole pieces of 16.
      const buffer = device.createBuffer({ size: Math.ceil(bytes.byteLength / 16) * 16, usage: STORAGE });
      device.queue.writeBuffer(buffer, 0, bytes);
      return buffer;
    },
  };
}
