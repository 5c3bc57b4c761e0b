import { sizeOf, type Tensor, tensor } from "./tensor.ts";

// Only integer arithmetic and the exactly rounded + − × ÷ √ are used, so that one seed gives the same bits in every
// JavaScript engine. Math.log, Math.cos and their like may differ in the last bit between engines.

/** A stream of uniform 32-bit integers. Bob Jenkins' 128-bit "small fast counting" generator (sfc32). */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** seed: an integer in 0..2^53 − 1. stream: separates independent uses of one seed. */
  constructor(seed: number, stream = 0) {
    this.a = seed >>> 0;
    this.b = Math.floor(seed / 4294967296) >>> 0;
    this.c = stream >>> 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  uint32(): number {
    const out = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + out) | 0;
    return out >>> 0;
  }

  /** Uniform in the open interval (0, 1): (2k + 1)/2^53 for a 52-bit k. */
  uniform(): number {
    const high = this.uint32() >>> 6;
    const low = this.uint32() >>> 6;
    return (2 * (high * 67108864 + low) + 1) / 9007199254740992;
  }

  /** Uniform integer in 0..n − 1; n ≤ 2^32. Unbiased: draws again above the largest multiple of n. */
  below(n: number): number {
    const limit = 4294967296 - (4294967296 % n);
    let x = this.uint32();
    while (x >= limit) x = this.uint32();
    return x % n;
  }

  /** Uniform in from..to. */
  between(from: number, to: number): number {
    return from + (to - from) * this.uniform();
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** Standard normal, by the inverse of its distribution function. */
  normal(): number {
    return inverseNormal(this.uniform());
  }
}

/** Returns the natural logarithm of a positive double by exactly rounded operations. Relative error below 1e-15. */
export function exactLog(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  // ln m = 2·artanh(s), s = (m − 1)/(m + 1), |s| ≤ 0.172: the series s + s³/3 + s⁵/5 + … ends below one ulp at s²³.
  const s = (mantissa - 1) / (mantissa + 1);
  const q = s * s;
  let sum = 0;
  for (let k = 23; k >= 1; k -= 2) sum = sum * q + 1 / k;
  return 2 * s * sum + exponent * Math.LN2;
}

const horner = (c: readonly number[], x: number): number => c.reduceRight((sum, k) => sum * x + k, 0);

// Coefficients of Wichura (1988), "Algorithm AS 241: the percentage points of the normal distribution", PPND16.
const CENTRE = {
  a: [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
    33430.57558358813, 2509.0809287301227,
  ],
  b: [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852546,
  ],
};
const NEAR = {
  a: [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  b: [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
};
const FAR = {
  a: [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
  ],
  b: [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 0.000018463183175100548,
    1.421511758316446e-7, 2.0442631033899397e-15,
  ],
};

/** Returns the quantile of the standard normal at p in (0, 1); relative error about 1e-16. */
export function inverseNormal(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * horner(CENTRE.a, r)) / horner(CENTRE.b, r);
  }
  const r = Math.sqrt(-exactLog(q < 0 ? p : 1 - p));
  const x = r <= 5 ? horner(NEAR.a, r - 1.6) / horner(NEAR.b, r - 1.6) : horner(FAR.a, r - 5) / horner(FAR.b, r - 5);
  return q < 0 ? -x : x;
}

/** Standard normal noise of `shape`; the same seed gives the same bits everywhere. */
export function noise(shape: readonly number[], seed: number): Tensor {
  const random = new Random(seed);
  return tensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}
