/** A device of WebGPU with the limits of its adapter. */
export interface Gpu {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  /** Resolves with the reason when the device is lost: its driver failed, it was removed, or the browser ended its process. */
  readonly lost: Promise<string>;
  /** Copies bytes into a buffer that onnxruntime can read. */
  upload(bytes: Uint8Array<ArrayBuffer>): GPUBuffer;
  /** Copies the first bytes out of a buffer, which stays as it is. */
  download(buffer: GPUBuffer, byteLength: number): Promise<ArrayBuffer>;
}

/** Adapters that are programs on the CPU, some 300 times slower than WebAssembly. */
const softwareNames = /swiftshader|llvmpipe|lavapipe|basic render/i;

// Flags of GPUBufferUsage and GPUMapMode, which the library of types lacks.
/** STORAGE, COPY_SRC and COPY_DST. */
const STORED = 0x80 | 0x4 | 0x8;
/** MAP_READ and COPY_DST. */
const READ_BACK = 0x1 | 0x8;
const READ = 0x1;

/** Sizes of buffers that are written are multiples of 4, and onnxruntime binds whole pieces of 16. None is empty. */
const roomFor = (byteLength: number): number => Math.max(16, Math.ceil(byteLength / 16) * 16);

/** "NVIDIA ampere", or what else the browser tells. */
const nameOf = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  [...new Set([vendor, architecture, device, description])].filter((word) => word !== "").join(" ") || "without a name";

/** Finds the most powerful adapter. Throws Error if there is none, or if it is a program on the CPU and `software` is false. */
async function findAdapter(software: boolean): Promise<{ readonly adapter: GPUAdapter; readonly name: string }> {
  if (!navigator.gpu)
    throw new Error("this browser has no WebGPU, or the page is not served over HTTPS or from localhost");
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter)
    throw new Error(
      "the browser offers no adapter for WebGPU (after failures of the graphics card, start the browser again)",
    );
  const name = nameOf(adapter.info);
  if (!software && (adapter.info.isFallbackAdapter || softwareNames.test(name))) {
    throw new Error(`the only adapter is a program on the CPU: ${name}`);
  }
  return { adapter, name };
}

/** What a graphics card can do, as the browser tells it. */
export interface GpuFacts {
  readonly name: string;
  /** True if it says that it computes in float16. */
  readonly hasFloat16: boolean;
  /** Most bytes of one buffer that a program can use. */
  readonly largestBuffer: number;
}

/** Returns what the graphics card can do, or the reason why there is none to compute with. software: as in WebEngineOptions. */
export async function gpuFacts(software = false): Promise<GpuFacts | { readonly missing: string }> {
  try {
    const { adapter, name } = await findAdapter(software);
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const hasFloat16 = adapter.features.has("shader-f16");
    return { name, hasFloat16, largestBuffer: Math.min(maxBufferSize, maxStorageBufferBindingSize) };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

/** Opens an adapter that `findAdapter` finds, with all that it can do. Throws Error as it does. */
export async function openGpu(software: boolean): Promise<Gpu> {
  const { adapter, name } = await findAdapter(software);
  const requiredLimits: Record<string, number> = {};
  for (const limit in adapter.limits) {
    const value = adapter.limits[limit as keyof GPUSupportedLimits];
    if (typeof value === "number") requiredLimits[limit] = value;
  }
  const requiredFeatures = [...adapter.features] as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  return {
    adapter,
    device,
    lost: device.lost.then(({ reason, message }) => `${name}: ${message || reason}`),
    upload: (bytes) => {
      const buffer = device.createBuffer({ size: roomFor(bytes.byteLength), usage: STORED });
      device.queue.writeBuffer(buffer, 0, bytes);
      return buffer;
    },
    download: async (buffer, byteLength) => {
      if (byteLength === 0) return new ArrayBuffer(0);
      const staging = device.createBuffer({ size: byteLength, usage: READ_BACK });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, byteLength);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(READ);
      const bytes = staging.getMappedRange().slice(0);
      staging.destroy();
      return bytes;
    },
  };
}
