import { sizeOf } from "../../../core/index.ts";
import type { Platform } from "../../../diffusion/index.ts";
import { methodNamed } from "../../../editing/index.ts";
import type { Precision } from "../../../runtime/index.ts";
import { gpuFacts, WASM_BYTES } from "../../../runtime/web/index.ts";
import { editMemory } from "../../../tasks/index.ts";
import { type Checkpoint, isFloatDtype } from "../../../weights/index.ts";

/** Where a model would run. */
export interface Runs {
  readonly device: "cpu" | "webgpu";
  readonly precision: Precision;
}

/** What a person should know of a model before it is loaded. */
export interface ModelOnDisk extends Runs {
  /** As the person knows it: the name of the file or the folder. */
  readonly name: string;
  /** What it was recognised as. */
  readonly kind: string;
  readonly parameters: number;
  /** Bytes and dtypes of its weights on the disk. */
  readonly bytes: number;
  readonly dtypes: readonly string[];
  readonly size: { readonly width: number; readonly height: number };
  /** Name of the graphics card, if it runs there. */
  readonly adapter?: string;
  /** Why it does not run on a graphics card, if it does not. */
  readonly noGpu?: string;
  /** Bytes of an edit at its size, by a method that tunes and by one that does not: of the graphics card, or of WebAssembly. */
  readonly memory: Readonly<Record<"baret" | "plain", number>>;
  /** Why it cannot be loaded, if it cannot. */
  readonly problem?: string;
  readonly warnings: readonly string[];
}

const families = new Map<unknown, string>([
  [768, "Stable Diffusion 1.x"],
  [1024, "Stable Diffusion 2.x"],
]);

const kindOf = ({ kind, unet }: Checkpoint): string => {
  const family = families.get(unet.config.cross_attention_dim) ?? "a small model built like Stable Diffusion";
  return `${family}, ${kind === "single file" ? "one file" : "a folder of diffusers"}`;
};

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

/**
 * Finds out what a model is, where it would run in this browser and what memory that takes. Reads no weight. Throws CheckpointError
 * if its parts do not belong together.
 */
export async function inspect(checkpoint: Checkpoint, name: string, platform: Platform): Promise<ModelOnDisk> {
  const { unet, vae, textEncoder } = checkpoint;
  const weights = [unet, vae, textEncoder].flatMap((part) => [...part.weights.values()]);
  const floats = weights.filter(({ dtype }) => isFloatDtype(dtype));
  const sum = (of: (ref: (typeof floats)[number]) => number): number => floats.reduce((n, ref) => n + of(ref), 0);
  const memoryOn = (method: "baret" | "plain", { device, precision }: Runs) =>
    editMemory(checkpoint, platform, { method: methodNamed(method), on: { device, precision, sharesWeights: false } });
  const facts = {
    name,
    kind: kindOf(checkpoint),
    parameters: sum(({ shape }) => sizeOf(shape)),
    bytes: sum(({ length }) => length),
    dtypes: [...new Set(floats.map(({ dtype }) => dtype))].sort(),
  };
  /** The facts of a device, and the largest buffer of an edit by a method that does not tune. */
  const factsOn = async (runs: Runs) => {
    const [baret, plain] = [await memoryOn("baret", runs), await memoryOn("plain", runs)];
    const used = runs.device === "webgpu" ? "deviceMemory" : "memory";
    const memory = { baret: baret[used], plain: plain[used] };
    const warnings = baret.warnings.map(({ message }) => message);
    return { found: { ...facts, ...runs, size: baret.size, memory, warnings }, largestBuffer: plain.largestBuffer };
  };
  const gpu = await gpuFacts();
  let noGpu = "missing" in gpu ? gpu.missing : undefined;
  if (!("missing" in gpu)) {
    const { found, largestBuffer } = await factsOn({
      device: "webgpu",
      precision: gpu.hasFloat16 ? "float16" : "float32",
    });
    if (largestBuffer <= gpu.largestBuffer) return { ...found, adapter: gpu.name };
    noGpu = `${gpu.name} has buffers of at most ${mebibytes(gpu.largestBuffer)}, and this model needs ${mebibytes(largestBuffer)}`;
  }
  const { found } = await factsOn({ device: "cpu", precision: "float32" });
  const needed = found.memory.plain;
  const problem =
    needed > WASM_BYTES
      ? `An edit needs ${gigabytes(needed)}, and WebAssembly has ${gigabytes(WASM_BYTES)}. This model needs a browser with WebGPU, on a computer with a graphics card.`
      : undefined;
  return { ...found, noGpu, ...(problem && { problem }) };
}
