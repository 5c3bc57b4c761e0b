import type { Part } from "./body/parts.ts";
import { add, scale, turn, type Vec } from "./geometry.ts";

/** Moves the animal's space into the picture's: turned by the view, and mirrored if the animal faces left. */
export const placing =
  (yaw: number, mirrored: boolean) =>
  (v: Vec): Vec => {
    const [x, y, z] = turn(v, yaw);
    return [mirrored ? -x : x, y, z];
  };

export const placed = (parts: readonly Part[], move: (v: Vec) => Vec): Part[] =>
  parts.map((part) => ({ ...part, a: move(part.a), b: move(part.b) }));

/** Moves the skins of parts with the parts. If marks are fixed to the picture, places all skins at the picture instead. */
export function skinned(
  parts: readonly Part[],
  on: "body" | "picture",
  move: (v: Vec) => Vec,
  mirrored: boolean,
): Part[] {
  const picture = { origin: [0, 0, 0], x: [mirrored ? -1 : 1, 0, 0], y: [0, 1, 0], z: [0, 0, 1] } as const;
  return parts.map((part) => {
    if (part.skin === null) return part;
    const { zone, origin, x, y, z } = part.skin;
    const skin =
      on === "body" ? { zone, origin: move(origin), x: move(x), y: move(y), z: move(z) } : { zone, ...picture };
    return { ...part, skin };
  });
}

/** Turns parts by `degrees` about the vertical axis, scales them, and moves them so that they stand at (x, 0, z). */
export function standing(parts: readonly Part[], x: number, z: number, size: number, degrees: number): Part[] {
  const move = (v: Vec): Vec => add(scale(turn(v, degrees), size), [x, 0, z]);
  return parts.map((part) => ({
    ...part,
    a: move(part.a),
    b: move(part.b),
    ra: part.ra * size,
    rb: part.rb * size,
    blend: part.blend * size,
  }));
}
