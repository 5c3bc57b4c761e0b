/** The largest number of float16. */
export const LARGEST_HALF = 65504;

const word = new DataView(new ArrayBuffer(4));

/** Bits of the float16 nearest to a float32 (IEEE 754 binary16; ties go to even). Beyond ±65504 the infinities. */
function bitsOf(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const fraction = bits & 0x7fffff;
  if (exponent === 128) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  if (exponent > 15) return sign | 0x7c00;
  // The fraction with its leading 1, and the number of its last bits that are rounded away.
  const dropped = exponent >= -14 ? 13 : Math.min(25, -1 - exponent);
  const whole = fraction | 0x800000;
  const half = 1 << (dropped - 1);
  const rest = whole & (2 * half - 1);
  const kept = whole >>> dropped;
  const rounded = kept + (rest > half || (rest === half && kept & 1) ? 1 : 0);
  // With an exponent field of e, the leading 1 of `kept` adds one to it; a carry out of the fraction adds another.
  return sign | (exponent >= -14 ? ((exponent + 14) << 10) + rounded : rounded);
}

/** Rounds numbers to float16 and returns their bits. Numbers beyond ±65504, its largest ones, become ±65504. */
export const toFloat16 = (values: Float32Array): Uint16Array<ArrayBuffer> =>
  Uint16Array.from(values, (value) => bitsOf(Math.max(-LARGEST_HALF, Math.min(LARGEST_HALF, value))));
