/** Bytes of one element, for every dtype of the safetensors format whose elements are whole bytes. */
export const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
} as const;

export type Dtype = keyof typeof dtypeBytes;

/** Dtypes that a model's weights may have. */
export const floatDtypes = ["F32", "F16", "BF16"] as const;
export type FloatDtype = (typeof floatDtypes)[number];

export const isDtype = (name: string): name is Dtype => Object.hasOwn(dtypeBytes, name);
export const isFloatDtype = (dtype: Dtype): dtype is FloatDtype => (floatDtypes as readonly string[]).includes(dtype);

/** Value of the bits of a float16 (IEEE 754 binary16): 1 sign, 5 exponent, 10 fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}

/** The value of every float16, by its bits. */
let float16Values: Float32Array | undefined;

/** Copies bytes into a new buffer. `bytes.slice().buffer` would not do: a Node Buffer's slice shares Node's whole pool. */
export const copiedBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/** Converts little-endian bytes of `dtype` to 32-bit floats, exactly. The bytes may start at any alignment. */
export function toFloat32(bytes: Uint8Array, dtype: FloatDtype): Float32Array {
  const buffer = copiedBuffer(bytes);
  if (dtype === "F32") return new Float32Array(buffer);
  const bits = new Uint16Array(buffer);
  if (dtype === "BF16") {
    const words = new Uint32Array(bits.length);
    for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
    return new Float32Array(words.buffer);
  }
  float16Values ??= Float32Array.from({ length: 65536 }, (_, i) => halfToNumber(i));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = float16Values[bits[i]];
  return out;
}
