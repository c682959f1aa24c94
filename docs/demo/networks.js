// The bundle's networks, computed by ONNX Runtime Web in float32 on one thread.

import { InferenceSession, Tensor, env } from "./vendor/ort.wasm.bundle.min.mjs";
import { EDGE, HOLE, SIZE } from "./geometry.js";
import { seededNoise } from "./noise.js";

export { Tensor };

const f32 = Math.fround;

/** Use the runtime's WebAssembly; other threads would need headers that few static sites send. */
export function startRuntime(wasm) {
  env.wasm.numThreads = 1;
  env.wasm.wasmBinary = wasm;
}

/** Open a network. Its weights are not converted to float32 at once: that takes longer than all runs of a visit. */
export function openNetwork(onnx) {
  const extra = { optimization: { disable_specified_optimizers: "ConstantFolding" } };
  return InferenceSession.create(onnx, { executionProviders: ["wasm"], graphOptimizationLevel: "basic", extra });
}

/** Compute a network with one output; returns its numbers. */
export async function run(session, inputs) {
  return (await session.run(inputs))[session.outputNames[0]].data;
}

export class Generator {
  constructor(session, noiseLength) {
    Object.assign(this, { session, noiseLength });
    const inHole = (at) => isMiddle(Math.floor(at / SIZE)) && isMiddle(at % SIZE);
    this.mask = Float32Array.from({ length: SIZE * SIZE }, (_, at) => Number(inHole(at)));
  }

  /**
   * Fill the hole of a window.
   * @param {Uint8ClampedArray} window 64×64 pixels, RGBA; the central 32×32 is not read
   * @param {Float32Array} vector of the caption
   * @param {number} seed 0 to 2**32 - 1
   * @param {number} temperature scale of the noise, 0 to 1
   * @returns {Promise<Uint8ClampedArray>} 32×32 pixels, RGBA
   */
  async fill(window, vector, seed, temperature = 1) {
    const context = planes(window).map((value, at) => (this.mask[at % this.mask.length] ? 0 : value));
    const noise = seededNoise(seed, this.noiseLength).map((value) => value * f32(temperature));
    return pixelsOf(await run(this.session, {
      context: new Tensor("float32", context, [1, 3, SIZE, SIZE]),
      mask: new Tensor("float32", this.mask, [1, 1, SIZE, SIZE]),
      caption: new Tensor("float32", vector, [1, vector.length]),
      noise: new Tensor("float32", noise, [1, noise.length]),
    }));
  }
}

const isMiddle = (position) => position >= EDGE && position < EDGE + HOLE;

/** How well a fill fits a caption, -1 to 1. */
export async function score(session, fill, vector) {
  const [value] = await run(session, {
    centre: new Tensor("float32", planes(fill), [1, 3, HOLE, HOLE]),
    caption: new Tensor("float32", vector, [1, vector.length]),
  });
  return Math.min(Math.max(value, -1), 1);
}

/** Levels as -1 to 1, a plane for each colour. */
function planes(pixels) {
  const count = pixels.length / 4, out = new Float32Array(3 * count);
  for (let channel = 0; channel < 3; channel++) {
    for (let at = 0; at < count; at++) out[channel * count + at] = f32(pixels[4 * at + channel] / 127.5) - 1;
  }
  return out;
}

/** The inverse of `planes`: rounds to nearest, halves to even, and clips, as this array type does. */
function pixelsOf(values) {
  const count = values.length / 3, out = new Uint8ClampedArray(4 * count).fill(255);
  for (let channel = 0; channel < 3; channel++) {
    for (let at = 0; at < count; at++) out[4 * at + channel] = f32(f32(values[channel * count + at] + 1) * 127.5);
  }
  return out;
}
