import { deflateSync } from "node:zlib";

// Picture files and colour profiles made on the spot: sharp does not write profiles other than its own.

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** PNG 11.2.1: 0 grey, 2 RGB, 4 grey with alpha, 6 RGB with alpha. */
const colourTypes = [0, 4, 2, 6];

/** A PNG of one colour, 4x4. samples: in 0..1, one per channel. */
export function pngOf(samples: readonly number[], depth: 8 | 16, profile?: Buffer): Buffer {
  const header = Buffer.from([0, 0, 0, 4, 0, 0, 0, 4, depth, colourTypes[samples.length - 1], 0, 0, 0]);
  const pixel = Buffer.concat(
    samples.map((x) => {
      const value = Math.round(x * (2 ** depth - 1));
      return depth === 16 ? Buffer.of(value >> 8, value & 255) : Buffer.of(value);
    }),
  );
  const row = Buffer.concat([Buffer.of(0), ...Array.from({ length: 4 }, () => pixel)]);
  const embedded = profile ? [pngChunk("iCCP", Buffer.concat([Buffer.from("made\0\0"), deflateSync(profile)]))] : [];
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    pngChunk("IHDR", header),
    ...embedded,
    pngChunk("IDAT", deflateSync(Buffer.concat([row, row, row, row]))),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

/** TIFF 6.0 data types: their numbers and sizes. */
const short = 3;
const bytes = 7;

export interface TiffOptions {
  bits?: 8 | 16 | 32;
  /** 1 unsigned, 2 signed, 3 floating point. */
  sampleFormat?: 1 | 2 | 3;
  /** 1 grey, 2 RGB, 5 CMYK. */
  photometric?: 1 | 2 | 5;
  /** Channels beyond colour: 2 is opacity, 0 unspecified. */
  extra?: readonly number[];
  profile?: Buffer;
}

/** A TIFF of one colour, 4x4, uncompressed. samples: numbers as they are stored. */
export function tiffOf(
  samples: readonly number[],
  { bits = 8, sampleFormat = 1, photometric = 2, extra = [], profile }: TiffOptions = {},
): Buffer {
  const size = bits / 8;
  const pixel = Buffer.alloc(size * samples.length);
  samples.forEach((value, k) => {
    if (sampleFormat === 3) pixel.writeFloatLE(value, size * k);
    else if (sampleFormat === 2) pixel.writeIntLE(value, size * k, size);
    else pixel.writeUIntLE(value, size * k, size);
  });
  const pixels = Buffer.concat(Array.from({ length: 16 }, () => pixel));
  const strip = 273;
  const tags: [tag: number, type: number, values: readonly number[]][] = [
    [256, short, [4]],
    [257, short, [4]],
    [258, short, samples.map(() => bits)],
    [259, short, [1]],
    [262, short, [photometric]],
    [strip, short, [0]],
    [277, short, [samples.length]],
    [278, short, [4]],
    [279, short, [pixels.length]],
    ...(extra.length > 0 ? [[338, short, extra] as [number, number, readonly number[]]] : []),
    [339, short, samples.map(() => sampleFormat)],
    ...(profile ? [[34_675, bytes, [...profile]] as [number, number, readonly number[]]] : []),
  ];
  const directory = Buffer.alloc(2 + 12 * tags.length + 4);
  directory.writeUInt16LE(tags.length);
  const outside: Buffer[] = [];
  let end = 8 + directory.length;
  tags.forEach(([tag, type, values], k) => {
    const at = 2 + 12 * k;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(values.length, at + 4);
    const data = type === bytes ? Buffer.from(values) : Buffer.from(Uint16Array.from(values).buffer);
    if (data.length > 4) directory.writeUInt32LE(end, at + 8);
    else data.copy(directory, at + 8);
    const padded = data.length > 4 ? Buffer.concat([data, Buffer.alloc(data.length % 2)]) : Buffer.alloc(0);
    outside.push(padded);
    end += padded.length;
  });
  directory.writeUInt16LE(end, 2 + 12 * tags.findIndex(([tag]) => tag === strip) + 8);
  return Buffer.concat([Buffer.from("II*\0\x08\0\0\0", "latin1"), directory, ...outside, pixels]);
}

const fixed = (x: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeInt32BE(Math.round(x * 65_536));
  return out;
};
const xyz = (values: readonly number[]): Buffer => Buffer.concat([Buffer.from("XYZ \0\0\0\0"), ...values.map(fixed)]);
function curve(gamma: number): Buffer {
  const out = Buffer.from("curv\0\0\0\0\0\0\0\x01\0\0", "latin1");
  out.writeUInt16BE(Math.round(gamma * 256), 12);
  return out;
}

/** An ICC profile of version 2 (ICC.1:2001-04) for displays, with these tags beside the ones that all need. */
export function profileOf(space: "RGB " | "GRAY", tags: Readonly<Record<string, Buffer>>): Buffer {
  const description = Buffer.alloc(95);
  description.write("desc\0\0\0\0\0\0\0\x05test");
  const all = Object.entries({
    desc: description,
    cprt: Buffer.from("text\0\0\0\0none\0"),
    wtpt: xyz([0.9642, 1, 0.8249]),
    ...tags,
  });
  const header = Buffer.alloc(128);
  header.write("\x02\x40", 8, "latin1");
  header.write(`mntr${space}XYZ `, 12);
  header.write("acsp", 36);
  xyz([0.9642, 1, 0.8249]).copy(header, 68, 8);
  const table = Buffer.alloc(4 + 12 * all.length);
  table.writeUInt32BE(all.length);
  const data: Buffer[] = [];
  let end = header.length + table.length;
  all.forEach(([tag, content], k) => {
    table.write(tag, 4 + 12 * k);
    table.writeUInt32BE(end, 8 + 12 * k);
    table.writeUInt32BE(content.length, 12 + 12 * k);
    const padded = Buffer.concat([content, Buffer.alloc((4 - (content.length % 4)) % 4)]);
    data.push(padded);
    end += padded.length;
  });
  header.writeUInt32BE(end);
  return Buffer.concat([header, table, ...data]);
}

/** An RGB colour space: the primaries as XYZ (D50), and the exponent of its transfer curve. */
export interface ColourSpace {
  primaries: readonly (readonly number[])[];
  gamma: number;
}

/** Primaries as XYZ, adapted to D50: http://www.brucelindbloom.com/index.html?Eqn_RGB_XYZ_Matrix.html, computed. */
const sRgbPrimaries = [
  [0.43607, 0.2225, 0.01393],
  [0.38506, 0.71688, 0.0971],
  [0.14308, 0.06062, 0.71417],
];
export const colourSpaces: Readonly<Record<string, ColourSpace>> = {
  "sRGB with exponent 2.2": { primaries: sRgbPrimaries, gamma: 2.2 },
  "linear light": { primaries: sRgbPrimaries, gamma: 1 },
  "Adobe RGB": {
    primaries: [
      [0.60976, 0.31112, 0.01948],
      [0.20524, 0.62566, 0.06089],
      [0.14922, 0.06322, 0.74484],
    ],
    gamma: 2.19921875,
  },
  ProPhoto: {
    primaries: [
      [0.79767, 0.28804, 0],
      [0.13519, 0.71187, 0],
      [0.03135, 0.00009, 0.82521],
    ],
    gamma: 1.80078125,
  },
};

export const rgbProfile = ({ primaries: [r, g, b], gamma }: ColourSpace): Buffer =>
  profileOf("RGB ", {
    rXYZ: xyz(r),
    gXYZ: xyz(g),
    bXYZ: xyz(b),
    rTRC: curve(gamma),
    gTRC: curve(gamma),
    bTRC: curve(gamma),
  });
export const greyProfile = (gamma: number): Buffer => profileOf("GRAY", { kTRC: curve(gamma) });

/** IEC 61966-2-1: linear light to an sRGB level, clipped to 0..255. */
export function sRgbLevel(linear: number): number {
  const x = Math.min(1, Math.max(0, linear));
  return 255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);
}

/** XYZ (D50) to linear sRGB: the inverse of sRgbPrimaries. */
const toLinear = [
  [3.13386, -1.61687, -0.49062],
  [-0.97876, 1.91614, 0.03345],
  [0.07195, -0.22899, 1.40524],
];

/** sRGB levels of a colour in another space. */
export function sRgbOf(colour: readonly number[], { primaries, gamma }: ColourSpace): number[] {
  const light = colour.map((x) => x ** gamma);
  const point = [0, 1, 2].map((axis) => light.reduce((sum, x, c) => sum + x * primaries[c][axis], 0));
  return toLinear.map((row) => sRgbLevel(row.reduce((sum, x, axis) => sum + x * point[axis], 0)));
}
