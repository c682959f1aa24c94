// A fill, scaled into its region as `captionfill.imaging.canvas` does it.

import { HOLE, holeOf } from "./geometry.js";

/**
 * Scale a fill to the hole of a region and cut the region out of it.
 * @param {Uint8ClampedArray} fill of 32×32 pixels
 * @returns {Uint8ClampedArray} of the region's pixels, opaque
 */
export function placeFill(fill, region) {
  const [x, y, width, height] = region, hole = holeOf(region);
  const square = resizeBicubic(fill, HOLE, hole.side);
  const out = new Uint8ClampedArray(width * height * 4);
  for (let row = 0; row < height; row++) {
    const start = ((y - hole.y + row) * hole.side + x - hole.x) * 4;
    out.set(square.subarray(start, start + width * 4), row * width * 4);
  }
  return out;
}

const FIXED = 1 << 22; // Pillow's fixed-point weights

/** Resize a square as Pillow does by `BICUBIC`, bit for bit: first along rows, then along columns. */
export function resizeBicubic(pixels, from, to) {
  if (from === to) return pixels.slice();
  const weights = cubicWeights(from, to);
  const wide = resample(pixels, weights, { lines: from, step: 4, line: from * 4, outStep: 4, outLine: to * 4 });
  return resample(wide, weights, { lines: to, step: to * 4, line: 4, outStep: to * 4, outLine: 4 });
}

function resample(pixels, weights, { lines, step, line, outStep, outLine }) {
  const out = new Uint8ClampedArray(lines * weights.length * 4);
  for (let row = 0; row < lines; row++) {
    weights.forEach(({ from, values }, column) => {
      for (let channel = 0; channel < 4; channel++) {
        let sum = FIXED / 2;
        for (let i = 0; i < values.length; i++) sum += values[i] * pixels[row * line + (from + i) * step + channel];
        out[row * outLine + column * outStep + channel] = Math.floor(sum / FIXED);
      }
    });
  }
  return out;
}

function cubicWeights(from, to) {
  const scale = from / to, stretch = Math.max(scale, 1);
  return Array.from({ length: to }, (_, cell) => {
    const centre = (cell + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5));
    const last = Math.min(from, Math.trunc(centre + 2 * stretch + 0.5));
    const values = Array.from({ length: last - first }, (_, i) => cubic((first + i - centre + 0.5) / stretch));
    const sum = values.reduce((a, b) => a + b, 0);
    return { from: first, values: values.map((value) => Math.trunc((value / sum) * FIXED + (value < 0 ? -0.5 : 0.5))) };
  });
}

/** Keys 1981, "Cubic convolution interpolation", with a = -1/2. */
function cubic(x) {
  x = Math.abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
}
