import { existsSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Random, sizeOf } from "../../src/core/index.ts";
import { type Binding, type Node, parametersOf } from "../../src/graph/index.ts";
import { fileSource } from "../../src/runtime/node/index.ts";

const portion = 1 << 20;

/** Centre and half-width of the values of a weight, chosen so that signals neither grow nor vanish. */
function distribution(name: string, shape: readonly number[]): { centre: number; spread: number } {
  if (shape.length === 1) return { centre: name.endsWith("weight") ? 1 : 0, spread: 0.2 };
  return { centre: 0, spread: Math.sqrt(3 / sizeOf(shape.slice(1))) };
}

/** Returns the file with the random weights of a model, named as in diffusers. */
export const weightsFile = (model: string): string =>
  join(".cache", "bench", model, "diffusion_pytorch_model.safetensors");

/**
 * Writes random weights for a graph into one float32 safetensors file, if it does not exist. outputs: the graph, which names
 * the weights. Returns the place of each weight.
 */
export async function randomWeights(model: string, outputs: readonly Node[]): Promise<(name: string) => Binding> {
  const path = weightsFile(model);
  let end = 0;
  const places = [...parametersOf(outputs)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { shape }]) => {
      const offset = end;
      end += 4 * sizeOf(shape as number[]);
      return { name, shape: shape as readonly number[], offset, end };
    });
  const header = places.map(({ name, shape, ...at }) => [
    name,
    { dtype: "F32", shape, data_offsets: [at.offset, at.end] },
  ]);
  const json = Buffer.from(JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(header) }));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  const start = size.length + json.length;
  if (!existsSync(path)) {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(`${path}.part`, "w");
    await file.write(Buffer.concat([size, json]));
    for (const [i, { name, shape }] of places.entries()) {
      const random = new Random(i);
      const { centre, spread } = distribution(name, shape);
      for (let left = sizeOf(shape); left > 0; left -= portion) {
        const values = new Float32Array(Math.min(portion, left));
        for (let k = 0; k < values.length; k++) values[k] = centre + spread * (random.uint32() / 2 ** 31 - 1);
        await file.write(new Uint8Array(values.buffer));
      }
    }
    await file.close();
    await rename(`${path}.part`, path);
  }
  const at = new Map(places.map(({ name, offset, end }) => [name, { offset: start + offset, length: end - offset }]));
  const source = fileSource(path);
  return (name) => ({ source, ...at.get(name)! });
}
