// The noise of a seed, bit for bit that of the service: torch's `randn` of a CPU generator.
//
// torch draws from MT19937 (Matsumoto & Nishimura 1998) and transforms sixteen numbers at a time
// by Box & Muller 1958. On x86 with AVX2 it computes logarithm, sine and cosine by the float32
// polynomials of Cephes, in which the compiler has fused some products with sums. On another CPU
// torch calls the C library instead, and the last bits may differ.

const f32 = Math.fround;
const BLOCK = 16;

/** MT19937 of a 32-bit seed. @returns {() => number} draws the next integer, 0 to 2**32 - 1 */
export function mersenneTwister(seed) {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let next = 624;
  return () => {
    if (next === 624) {
      twist(state);
      next = 0;
    }
    let y = state[next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

function twist(state) {
  for (let i = 0; i < 624; i++) {
    const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
    state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}

/**
 * Standard normal noise of a seed.
 * @param {number} seed 0 to 2**32 - 1
 * @param {number} length at least 16; below, torch has another order
 * @returns {Float32Array}
 */
export function seededNoise(seed, length) {
  const draw = mersenneTwister(seed);
  const uniform = () => (draw() & 0xffffff) / 0x1000000;
  const out = Float32Array.from({ length }, uniform);
  for (let start = 0; start + BLOCK <= length; start += BLOCK) boxMuller(out.subarray(start, start + BLOCK));
  if (length % BLOCK) { // the last sixteen are drawn anew
    const last = out.subarray(length - BLOCK);
    last.forEach((_, i) => (last[i] = uniform()));
    boxMuller(last);
  }
  return out;
}

/** Transform sixteen numbers from 0 to 1, in pairs of distance 8. */
function boxMuller(block) {
  for (let i = 0; i < 8; i++) {
    const radius = f32(Math.sqrt(f32(-2 * log(1 - block[i]))));
    const [sine, cosine] = sineAndCosine(f32(f32(2 * Math.PI) * block[i + 8]));
    block[i] = f32(radius * cosine);
    block[i + 8] = f32(radius * sine);
  }
}

/**
 * `a * b + c` of float32 numbers, rounded once. A double holds the product exactly, but not always
 * the sum; where that lies in the middle of two float32 numbers, what it lost decides.
 */
export function fma(a, b, c) {
  const product = a * b, sum = product + c, rounded = f32(sum);
  const other = 2 * sum - rounded;
  if (rounded === sum || f32(other) !== other) return rounded;
  const part = sum - product;
  const lost = product - (sum - part) + (c - part);
  if (lost === 0) return rounded;
  return lost > 0 ? Math.max(rounded, other) : Math.min(rounded, other);
}

const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
  -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(f32);
const LN2_HIGH = 0.693359375, LN2_LOW = f32(-2.1219444e-4);

const bits = new Uint32Array(1), floats = new Float32Array(bits.buffer);

/** Natural logarithm of a normal float32 number above 0. */
function log(value) {
  floats[0] = value;
  let exponent = (bits[0] >>> 23) - 126;
  bits[0] = (bits[0] & 0x7fffff) | 0x3f000000;
  let x = floats[0]; // 0.5 to 1
  if (x < f32(Math.SQRT1_2)) {
    exponent -= 1;
    x = f32(f32(x - 1) + x);
  } else {
    x = f32(x - 1);
  }
  const square = f32(x * x);
  const polynomial = f32(LOG.reduce((y, coefficient) => fma(y, x, coefficient)) * x);
  const low = fma(polynomial, square, f32(exponent * LN2_LOW));
  const tail = f32(low - f32(square * 0.5));
  return fma(exponent, LN2_HIGH, f32(x + tail));
}

const QUARTER = [-0.78515625, -2.4187564849853515625e-4, f32(-3.77489497744594108e-8)]; // -π/4 in three parts
const SINE = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(f32);
const COSINE = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(f32);

/** Sine and cosine of a float32 number from 0 to 2π. */
function sineAndCosine(value) {
  const octant = (Math.trunc(f32(value * f32(4 / Math.PI))) + 1) & ~1;
  const x = QUARTER.reduce((rest, part) => fma(octant, part, rest), value);
  const square = f32(x * x);
  const horner = (coefficients) => coefficients.reduce((y, coefficient) => fma(y, square, coefficient));
  const cosine = f32(fma(f32(horner(COSINE) * square), square, -f32(square * 0.5)) + 1);
  const sine = fma(f32(horner(SINE) * square), x, x);
  const [first, second] = octant & 2 ? [cosine, sine] : [sine, cosine];
  return [octant & 4 ? -first : first, (octant - 2) & 4 ? second : -second];
}
