// Integer hashes and smooth noise made from them: the world's only source of texture.

/** Returns a well mixed 32-bit hash of three integers, as a number in 0..1. */
export function hash(x: number, y: number, seed: number): number {
  let h = Math.imul(x | 0, 0x27d4eb2d) ^ Math.imul(y | 0, 0x165667b1) ^ Math.imul(seed | 0, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 4294967296;
}

/** Value noise in 0..1 with unit cells. */
export function noise2(x: number, y: number, seed: number): number {
  const i = Math.floor(x);
  const j = Math.floor(y);
  let u = x - i;
  let v = y - j;
  u = u * u * (3 - 2 * u);
  v = v * v * (3 - 2 * v);
  const low = hash(i, j, seed) * (1 - u) + hash(i + 1, j, seed) * u;
  const high = hash(i, j + 1, seed) * (1 - u) + hash(i + 1, j + 1, seed) * u;
  return low * (1 - v) + high * v;
}

/** Cells in space with jittered centres (Worley 1996): the distances to the nearest and the second nearest of them. */
export function cellDistances(x: number, y: number, z: number, seed: number): readonly [number, number] {
  const i = Math.floor(x);
  const j = Math.floor(y);
  const k = Math.floor(z);
  let first = 9;
  let second = 9;
  for (let c = k - 1; c <= k + 1; c++) {
    for (let b = j - 1; b <= j + 1; b++) {
      for (let a = i - 1; a <= i + 1; a++) {
        const row = Math.imul(c, 0x1b873593) ^ seed;
        const dx = a + 0.15 + 0.7 * hash(a, b, row) - x;
        const dy = b + 0.15 + 0.7 * hash(b, a, row + 1) - y;
        const dz = c + 0.15 + 0.7 * hash(a + b, b, row + 2) - z;
        const d = dx * dx + dy * dy + dz * dz;
        if (d < first) {
          second = first;
          first = d;
        } else if (d < second) second = d;
      }
    }
  }
  return [Math.sqrt(first), Math.sqrt(second)];
}

/** Returns the distance to the second nearest centre minus distance to the nearest: 0 on the walls between cells. */
export function cellWall(x: number, y: number, z: number, seed: number): number {
  const [first, second] = cellDistances(x, y, z, seed);
  return second - first;
}
