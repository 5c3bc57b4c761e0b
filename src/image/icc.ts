import { ascii, viewOf } from "./header/reader.ts";

// ICC profiles (ICC.1:2010) of the kinds that cameras and displays have: a matrix and three curves, or one curve for grey.
// Profiles with tables, such as those for printing, are recognised but not computed here.

/** From a sample in 0..1 to linear light. */
type Curve = (sample: number) => number;

export type Profile =
  | { readonly kind: "rgb"; readonly curves: readonly Curve[]; readonly primaries: readonly (readonly number[])[] }
  | { readonly kind: "grey"; readonly curves: readonly Curve[] }
  /** Its colours follow from tables. channels: of the colours that it is for. */
  | { readonly kind: "tables"; readonly channels: number };

const HEADER_BYTES = 128;
/** Most tags that are looked at. Profiles have about 20. */
const MAX_TAGS = 200;

/** Contents of a profile's tags, by their signatures (ICC.1:2010, 7.3). Undefined if one lies outside. */
function tagsOf(profile: Uint8Array): Map<string, Uint8Array> | undefined {
  if (profile.length < HEADER_BYTES + 4 || ascii(profile, 36, 40) !== "acsp") return undefined;
  const view = viewOf(profile);
  const count = view.getUint32(HEADER_BYTES);
  if (count > MAX_TAGS || HEADER_BYTES + 4 + 12 * count > profile.length) return undefined;
  const tags = new Map<string, Uint8Array>();
  for (let k = 0; k < count; k++) {
    const entry = HEADER_BYTES + 4 + 12 * k;
    const [offset, size] = [view.getUint32(entry + 4), view.getUint32(entry + 8)];
    if (offset + size > profile.length || size < 8) return undefined;
    tags.set(ascii(profile, entry, entry + 4), profile.subarray(offset, offset + size));
  }
  return tags;
}

/** Returns a number with 16 bits behind the point (ICC.1:2010, 4.5). */
const fixed = (view: DataView, at: number): number => view.getInt32(at) / 65_536;

/** ICC.1:2010, 10.5 (curveType). Between its samples a curve is linear. */
function sampledCurve(data: Uint8Array): Curve | undefined {
  const view = viewOf(data);
  const count = data.length < 12 ? -1 : view.getUint32(8);
  if (count < 0 || 12 + 2 * count > data.length) return undefined;
  if (count === 0) return (x) => x;
  if (count === 1) {
    const gamma = view.getUint16(12) / 256;
    return (x) => x ** gamma;
  }
  const samples = Float64Array.from({ length: count }, (_, k) => view.getUint16(12 + 2 * k) / 65_535);
  return (x) => {
    const at = x * (count - 1);
    const below = Math.min(count - 2, Math.floor(at));
    return samples[below] + (at - below) * (samples[below + 1] - samples[below]);
  };
}

/** ICC.1:2010, 10.16 (parametricCurveType): number of parameters of each function type. */
const PARAMETERS = [1, 3, 4, 5, 7];

function parametricCurve(data: Uint8Array): Curve | undefined {
  const view = viewOf(data);
  const type = data.length < 12 ? -1 : view.getUint16(8);
  const count = PARAMETERS[type];
  if (count === undefined || 12 + 4 * count > data.length) return undefined;
  const [g, a, b, c, d, e, f] = Array.from({ length: count }, (_, k) => fixed(view, 12 + 4 * k));
  const power = (x: number): number => Math.max(0, a * x + b) ** g;
  switch (type) {
    case 0:
      return (x) => x ** g;
    case 1:
      return (x) => (x >= -b / a ? power(x) : 0);
    case 2:
      return (x) => (x >= -b / a ? power(x) + c : c);
    case 3:
      return (x) => (x >= d ? power(x) : c * x);
    default:
      return (x) => (x >= d ? power(x) + e : c * x + f);
  }
}

function curveOf(data: Uint8Array | undefined): Curve | undefined {
  const type = data && ascii(data, 0, 4);
  if (data && type === "curv") return sampledCurve(data);
  return data && type === "para" ? parametricCurve(data) : undefined;
}

/** ICC.1:2010, 10.27 (XYZType): one colour. */
function colourOf(data: Uint8Array | undefined): number[] | undefined {
  if (!data || data.length < 20 || ascii(data, 0, 4) !== "XYZ ") return undefined;
  const view = viewOf(data);
  return [8, 12, 16].map((at) => fixed(view, at));
}

/** Channels of colour spaces (ICC.1:2010, 7.2.6). */
const spaces: Readonly<Record<string, number>> = { "RGB ": 3, GRAY: 1, CMYK: 4, "Lab ": 3 };
const tableTypes = ["mft1", "mft2", "mAB "];

/** Reads a profile. Undefined if it cannot be used: no profile, cut off, or without what its colour space needs. */
export function readProfile(profile: Uint8Array): Profile | undefined {
  const tags = tagsOf(profile);
  const space = ascii(profile, 16, 20);
  const channels = spaces[space];
  if (!tags || channels === undefined) return undefined;
  // Tables come first where a profile has both (ICC.1:2010, 8.10).
  const tables = tags.get("A2B0");
  if (tables && tableTypes.includes(ascii(tables, 0, 4))) return { kind: "tables", channels };
  const all = (space === "GRAY" ? ["kTRC"] : ["rTRC", "gTRC", "bTRC"]).map((tag) => curveOf(tags.get(tag)));
  const curves = all.filter((curve) => curve !== undefined);
  if (curves.length < all.length || ascii(profile, 20, 24) !== "XYZ ") return undefined;
  if (space === "GRAY") return { kind: "grey", curves };
  const primaries = ["rXYZ", "gXYZ", "bXYZ"].flatMap((tag) => [colourOf(tags.get(tag)) ?? []]);
  return space === "RGB " && primaries.every(({ length }) => length === 3)
    ? { kind: "rgb", curves, primaries }
    : undefined;
}

/** XYZ under D50, a profile's own space, to linear sRGB: the inverse of sRGB's primaries adapted by Bradford's method. */
const FROM_XYZ = [
  [3.1338561, -1.6168667, -0.4906146],
  [-0.9787684, 1.9161415, 0.033454],
  [0.0719453, -0.2289914, 1.4052427],
];

/** IEC 61966-2-1: the sRGB level of linear light. */
const encoded = (x: number): number => 255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);

const STEPS = 1 << 16;
let levels: Uint8Array | undefined;

/** Rounded sRGB levels of linear light in 0..1, in steps that are at most a twentieth of a level. */
function levelTable(): Uint8Array {
  levels ??= Uint8Array.from({ length: STEPS + 1 }, (_, k) => Math.round(encoded(k / STEPS)));
  return levels;
}

/** Writes the sRGB levels of a pixel's colour. samples, from `at`: 1 or 3 whole numbers. */
export type WriteColour = (samples: Uint16Array, at: number, out: Uint8Array, to: number) => void;

/** Samples as they are, scaled to levels. maximum: the largest sample. */
export function plainColours(channels: 1 | 3, maximum: number): WriteColour {
  const table = Uint8Array.from({ length: maximum + 1 }, (_, v) => Math.round((255 * v) / maximum));
  return channels === 1
    ? repeated(table)
    : (samples, at, out, to) => {
        for (let c = 0; c < 3; c++) out[to + c] = table[samples[at + c]];
      };
}

const repeated =
  (table: Uint8Array): WriteColour =>
  (samples, at, out, to) => {
    out.fill(table[samples[at]], to, to + 3);
  };

/** Converts samples of a profile with curves to sRGB, relative to white; colours outside are clipped. */
export function profileColours(profile: Exclude<Profile, { kind: "tables" }>, maximum: number): WriteColour {
  const toLevel = levelTable();
  const step = (linear: number): number => Math.round(STEPS * Math.min(1, Math.max(0, linear)));
  const tables = profile.curves.map((curve) =>
    Float64Array.from({ length: maximum + 1 }, (_, v) => curve(v / maximum)),
  );
  if (profile.kind === "grey") return repeated(Uint8Array.from(tables[0], (linear) => toLevel[step(linear)]));
  const matrix = FROM_XYZ.map((row) => profile.primaries.map((xyz) => row.reduce((sum, x, k) => sum + x * xyz[k], 0)));
  const [red, green, blue] = tables;
  return (samples, at, out, to) => {
    const [r, g, b] = [red[samples[at]], green[samples[at + 1]], blue[samples[at + 2]]];
    for (let c = 0; c < 3; c++) {
      out[to + c] = toLevel[step(matrix[c][0] * r + matrix[c][1] * g + matrix[c][2] * b)];
    }
  };
}
