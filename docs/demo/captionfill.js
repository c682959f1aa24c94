// captionfill as an ES module: fills regions of photos in the browser. Nothing leaves it.
//
//   import { Inpainter } from "./captionfill.js";
//   const inpainter = await Inpainter.load();
//   const { images } = await inpainter.fill(photo, "a dog runs", { seed: 7, n: 4 });

import { fetchJson, keepFiles, loadFile } from "./assets.js";
import { CaptionEncoder, checkCaption } from "./captions.js";
import { placeFill } from "./composite.js";
import { checkRegion, extractContext } from "./geometry.js";
import { Generator, openNetwork, score, startRuntime } from "./networks.js";
import { centralRegion } from "./page/region.js";

const SEEDS = 2 ** 32, MOST = 8;
const KEEP_AFTER = 1000; // milliseconds, so that a first fill does not wait for the disk

export class Inpainter {
  /**
   * Load the networks, about 35 MB.
   * @param {object} [options]
   * @param {string|URL} [options.base] where `model.json` is; beside this module by default
   * @param {(share: number) => void} [options.onProgress] called with 0 to 1 while files arrive
   * @returns {Promise<Inpainter>}
   * @throws {Error} a file is missing, or the browser lacks WebAssembly with SIMD
   */
  static async load({ base = import.meta.url, onProgress = () => {} } = {}) {
    const model = await fetchJson(new URL("model.json", base));
    const total = Object.values(model.files).reduce((sum, { bytes }) => sum + bytes, 0);
    let arrived = 0;
    const count = (bytes) => onProgress(Math.min((arrived += bytes) / total, 1));
    const loading = Object.entries(model.files).map(([name, { path }]) => {
      const address = new URL(path, base);
      return [name, loadFile(address, count).then((file) => ({ address, ...file }))];
    });
    const all = Promise.all(loading.map(([, file]) => file));
    const [made] = await Promise.all([Inpainter.#open(model, Object.fromEntries(loading)), all]);
    setTimeout(async () => keepFiles(await all).catch(() => {}), KEEP_AFTER); // without room, they are loaded again
    return made;
  }

  /** Open each network when its file has arrived. */
  static async #open(model, files) {
    const read = async (name) => (await files[name]).bytes;
    const readText = async (name) => JSON.parse(new TextDecoder().decode(await read(name)));
    startRuntime(await read("runtime"));
    const made = new Inpainter();
    made.model = model;
    made.generator = new Generator(await openNetwork(await read("generator")), model.noise_dim);
    made.scorer = files.scorer ? await openNetwork(await read("scorer")) : null;
    const tokenizer = [await readText("tokenizer"), await readText("tokenizer_config")];
    made.encoder = new CaptionEncoder(await openNetwork(await read("encoder")), ...tokenizer, model.max_tokens);
    return made;
  }

  /**
   * Fill a region of a photo. No pixel outside of the region changes.
   * @param {ImageBitmapSource} photo a File, Blob, image, canvas or ImageBitmap; both sides at least 64
   * @param {string} caption what the whole photo shows
   * @param {object} [options]
   * @param {[number, number, number, number]} [options.region] x, y, width, height; the central half by default
   * @param {number} [options.seed] of the first candidate, 0 to 2**32 - 1; random by default
   * @param {number} [options.n] candidates, 1 to 8; their seeds count up
   * @param {number} [options.temperature] scale of the noise, 0 to 1
   * @param {string} [options.compare] a second caption, to fill by with the same noise
   * @param {AbortSignal} [options.signal]
   * @returns {Promise<{images: Blob[], others: Blob[], seeds: number[], scores: number[]|null,
   *   region: number[], truncated: boolean, unknown: boolean}>} PNG files, the best first
   * @throws {RangeError} an argument cannot be used
   */
  async fill(photo, caption, { region, seed = randomSeed(), n = 1, temperature = 1, compare = "", signal } = {}) {
    checkNumbers(seed, n, temperature);
    const captions = [caption, ...(compare ? [compare] : [])].map(checkCaption);
    const canvas = drawPhoto(await createImageBitmap(photo));
    region ??= middle(canvas);
    checkRegion(region, canvas);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const read = (x, y, width, height) => context.getImageData(x, y, width, height).data;
    const window = extractContext(read, canvas, region);
    const made = await this.fillWindow(window, captions, { seeds: seedsFrom(seed, n), temperature, signal });
    const encode = async (fills) => {
      const blobs = [];
      for (const fill of fills) blobs.push(await encodePng(canvas, context, fill, region));
      return blobs;
    };
    return { ...made, images: await encode(made.images), others: await encode(made.others), region };
  }

  /**
   * Fill a window of 64×64 pixels, RGBA; arguments and results otherwise as those of `fill`.
   * @param {(string|Float32Array)[]} captions one or two, as text or as vectors of length 1
   */
  async fillWindow(window, captions, { seeds, temperature = 1, signal }) {
    const embedded = await inTurn(captions, (one) => (typeof one === "string" ? this.encoder.embed(one) : { vector: one }));
    const [[images, scores], [others] = [[]]] = await inTurn(embedded, async ({ vector }, which) => {
      const fills = await inTurn(seeds, async (seed) => {
        signal?.throwIfAborted();
        return this.generator.fill(window, vector, seed, temperature);
      });
      return [fills, which === 0 && this.scorer ? await inTurn(fills, (fill) => score(this.scorer, fill, vector)) : null];
    });
    const order = seeds.map((_, i) => i).sort((a, b) => (scores ? scores[b] - scores[a] : a - b));
    const sorted = (list) => order.map((i) => list[i]);
    return {
      images: sorted(images), others: others.length ? sorted(others) : [], seeds: sorted(seeds), scores: scores && sorted(scores),
      truncated: embedded.some((one) => one.truncated), unknown: embedded.some((one) => one.unknown),
    };
  }
}

/** One after the other: the networks share one thread. */
async function inTurn(list, compute) {
  const results = [];
  for (const [i, item] of list.entries()) results.push(await compute(item, i));
  return results;
}

function checkNumbers(seed, n, temperature) {
  if (!Number.isInteger(seed) || seed < 0 || seed >= SEEDS) throw new RangeError("The seed is a whole number from 0 to 4,294,967,295.");
  if (!Number.isInteger(n) || n < 1 || n > MOST) throw new RangeError(`From 1 to ${MOST} candidates can be made.`);
  if (!(temperature >= 0 && temperature <= 1)) throw new RangeError("The temperature is from 0 to 1.");
}

const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];
const seedsFrom = (first, count) => Array.from({ length: count }, (_, i) => (first + i) % SEEDS);

function middle({ width, height }) {
  const { x, y, side } = centralRegion(width, height);
  return [x, y, side, side];
}

function drawPhoto(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas;
}

function encodePng(canvas, context, fill, [x, y, width, height]) {
  context.putImageData(new ImageData(placeFill(fill, [x, y, width, height]), width, height), x, y);
  return canvas.convertToBlob({ type: "image/png" });
}
