import { BaretError, noise, type Tensor } from "../core/index.ts";
import * as g from "../graph/index.ts";
import { type Device, type Engine, targetOf } from "./engine.ts";

/** The form in which programs with attention are compiled for an engine. */
export type Form = Pick<g.CompileOptions, "target" | "traits">;

/** Larger pieces of attention maps gain little, and each piece is in memory twice. Bytes. */
const LARGEST_PIECE = 512 * 2 ** 20;

/**
 * Attentions of the probe. The first takes the kernel's way for few queries. The second, for many, is wrong on some devices;
 * its lengths are no multiples of a kernel's blocks, and its depths are those of the Menagerie and of Stable Diffusion.
 */
const probes = [
  { queries: 16, keys: 16, depth: 16 },
  { queries: 300, keys: 300, depth: 40 },
  { queries: 300, keys: 77, depth: 80 },
];
const HEADS = 2;
/** Wrong kernels were found to be off by 0.07 to 0.8. A right one that rounds its inputs to 10 bits is off by 1e-3. */
const LARGEST_ERROR = 5e-3;

const known = new WeakMap<Engine, Promise<Form>>();

/** True if a graph has attention, whose form depends on the device. */
export const usesAttention = (outputs: Readonly<Record<string, g.Node>>): boolean =>
  g.inOrder(Object.values(outputs)).some(({ op }) => op.name === "attention");

/**
 * Finds the form for an engine. On WebGPU and CUDA it first compares onnxruntime's kernel for attention with plain operations,
 * once for each engine, and uses it only if their results agree. Throws CancelledError.
 */
export function formOf(engine: Engine, signal?: AbortSignal): Promise<Form> {
  const before = known.get(engine);
  if (before) return before;
  const made = find(engine, signal);
  known.set(engine, made);
  made.catch(() => known.delete(engine));
  return made;
}

/**
 * Returns the form for a device on which onnxruntime's kernel for attention is not used, which takes the most memory.
 * largestBuffer: most bytes of one of its buffers, if they are limited.
 */
export function plainForm(device: Device, largestBuffer?: number): Form {
  if (device !== "webgpu" && device !== "cuda") return { target: targetOf(device) };
  const buffer = largestBuffer === undefined ? undefined : Math.min(largestBuffer, LARGEST_PIECE);
  return { target: "onnx", traits: { fusedAttention: false, ...(buffer !== undefined && { buffer }) } };
}

async function find(engine: Engine, signal: AbortSignal | undefined): Promise<Form> {
  const { device, largestBuffer } = engine;
  const plain = plainForm(device, largestBuffer);
  if (!plain.traits || !(await isAttentionRight(engine, signal))) return plain;
  return { target: targetOf(device), traits: { ...plain.traits, fusedAttention: true } };
}

/** Tells if onnxruntime's kernel for attention runs on the device and agrees with plain operations. */
async function isAttentionRight(engine: Engine, signal: AbortSignal | undefined): Promise<boolean> {
  const outputs: Record<string, g.Node> = {};
  const feeds: Record<string, Tensor> = {};
  for (const [i, { queries, keys, depth }] of probes.entries()) {
    const shapes = { q: [1, queries, HEADS * depth], k: [1, keys, HEADS * depth], v: [1, keys, HEADS * depth] };
    const [q, k, v] = Object.entries(shapes).map(([name, shape], n) => {
      feeds[name + i] = noise(shape, 3 * i + n);
      return g.input(name + i, shape);
    });
    outputs[`fused${i}`] = g.attention(q, k, v, { heads: HEADS });
    outputs[`plain${i}`] = g.attend(g.attentionMaps(q, k, HEADS), v);
  }
  const form = { target: targetOf(engine.device), traits: { fusedAttention: true } };
  const program = g.compile(outputs, { name: "the test of attention", bind: () => "fed", ...form });
  try {
    const session = await engine.load(program, { signal });
    try {
      const results = await session.run(feeds, { signal });
      return probes.every((_, i) => relativeError(results[`fused${i}`], results[`plain${i}`]) < LARGEST_ERROR);
    } finally {
      await session.release();
    }
  } catch (error) {
    if (!(error instanceof BaretError) || error.code === "cancelled") throw error;
    return false;
  }
}

function relativeError(a: Tensor, b: Tensor): number {
  let [difference, norm] = [0, 0];
  b.data.forEach((value, i) => {
    difference += (a.data[i] - value) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference / norm);
}
