import type { Picture } from "../core/index.ts";
import { SceneError } from "../core/index.ts";
import { parseScene, type Scene } from "./scene.ts";
import { compose } from "./shot.ts";
import { type Layers, pencil, watercolour } from "./styles.ts";
import { FIRST_PART, Tracer } from "./trace.ts";

/** The four points of a pixel at which an edge is sampled: a rotated grid. */
const ACROSS = [-0.125, 0.375, 0.125, -0.375] as const;
const DOWN = [-0.375, -0.125, 0.375, 0.125] as const;

/** Neighbouring pixels are an edge if their colours differ by more than this. */
const CONTRAST = 0.08;

export const MAX_SIZE = 2048;

function checkSize(size: number): void {
  if (!Number.isInteger(size) || size < 8 || size > MAX_SIZE) {
    throw new SceneError("", { where: "size", found: `${size}`, expected: `an integer from 8 to ${MAX_SIZE}` });
  }
}

/** Traces one sample in the middle of each pixel, then four samples in each pixel that differs from a neighbour. */
function trace(scene: Scene, size: number): Layers {
  const tracer = new Tracer(compose(scene), scene.place);
  const colour = new Float32Array(size * size * 3);
  const depth = new Float32Array(size * size);
  const normal = new Float32Array(size * size * 3);
  const met = new Int16Array(size * size);
  const pixel = 2 / size;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      tracer.see((x + 0.5) * pixel - 1, 1 - (y + 0.5) * pixel, pixel);
      colour[3 * i] = tracer.red;
      colour[3 * i + 1] = tracer.green;
      colour[3 * i + 2] = tracer.blue;
      depth[i] = tracer.depth;
      normal[3 * i] = tracer.nx;
      normal[3 * i + 1] = tracer.ny;
      normal[3 * i + 2] = tracer.nz;
      met[i] = tracer.met;
    }
  }
  const smooth = colour.slice();
  const differs = (i: number, j: number): boolean =>
    met[i] < FIRST_PART !== met[j] < FIRST_PART ||
    Math.abs(colour[3 * i] - colour[3 * j]) > CONTRAST ||
    Math.abs(colour[3 * i + 1] - colour[3 * j + 1]) > CONTRAST ||
    Math.abs(colour[3 * i + 2] - colour[3 * j + 2]) > CONTRAST;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0; x < size; x++, i++) {
      const edge =
        (x > 0 && differs(i, i - 1)) ||
        (x + 1 < size && differs(i, i + 1)) ||
        (y > 0 && differs(i, i - size)) ||
        (y + 1 < size && differs(i, i + size));
      if (!edge) continue;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let k = 0; k < 4; k++) {
        tracer.see((x + 0.5 + ACROSS[k]) * pixel - 1, 1 - (y + 0.5 + DOWN[k]) * pixel, pixel);
        red += tracer.red;
        green += tracer.green;
        blue += tracer.blue;
      }
      smooth[3 * i] = red / 4;
      smooth[3 * i + 1] = green / 4;
      smooth[3 * i + 2] = blue / 4;
    }
  }
  return { size, colour: smooth, depth, normal, met };
}

/**
 * Renders a scene: `size` × `size` pixels, the same bytes on every machine. Throws SceneError if the value is not a scene
 * or the size is outside 8..2048.
 */
export function render(scene: Scene, size: number): Picture {
  checkSize(size);
  const checked = parseScene(scene);
  const layers = trace(checked, size);
  const seed = checked.viewSeed & 0xffff;
  const colour =
    checked.style === "photo"
      ? layers.colour
      : checked.style === "watercolour"
        ? watercolour(layers, seed)
        : pencil(layers, seed);
  const data = new Uint8Array(size * size * 3);
  for (let i = 0; i < data.length; i++) data[i] = Math.floor(Math.min(1, Math.max(0, colour[i])) * 255 + 0.5);
  return { width: size, height: size, data };
}
