// Shows two images over each other with a slider, or one image with a map over its region.

/** @param {string|Blob} png in base64, or as it is @returns {Promise<ImageBitmap>} */
export async function decodePng(png) {
  return createImageBitmap(pngBlob(png));
}

export function pngBlob(png) {
  if (png instanceof Blob) return png;
  return new Blob([Uint8Array.from(atob(png), (character) => character.charCodeAt(0))], { type: "image/png" });
}

export class Viewer {
  /** @param {Record<"under"|"over"|"divider"|"slider"|"sliderLabel"|"left"|"right", HTMLElement>} parts */
  constructor(parts) {
    this.parts = parts;
    parts.slider.addEventListener("input", () => this.#split());
    parts.under.parentElement.addEventListener("pointerdown", (event) => this.#drag(event));
  }

  /** Two images of one size; the slider uncovers the second from the right. */
  showPair(first, second, [left, right]) {
    const { under, over, sliderLabel, slider, divider } = this.parts;
    draw(under, second);
    draw(over, first);
    this.parts.left.textContent = left;
    this.parts.right.textContent = right;
    for (const part of [sliderLabel, slider, divider]) part.hidden = false;
    slider.setAttribute("aria-label", `Share of the image that shows ${left}; the rest shows ${right}`);
    this.#split();
  }

  /** An image with a map of values over its region, from 0 (transparent) to the largest (opaque). */
  showMap(image, region, map) {
    const { under, over, sliderLabel, slider, divider } = this.parts;
    draw(under, image);
    Object.assign(over, { width: image.width, height: image.height });
    const [x, y, width, height] = region;
    over.getContext("2d").putImageData(new ImageData(heat(map), width, height), x, y);
    over.style.clipPath = "";
    for (const part of [sliderLabel, slider, divider]) part.hidden = true;
  }

  #split() {
    const { over, divider, slider } = this.parts;
    over.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
    divider.style.left = `${slider.value}%`;
  }

  #drag(start) {
    const { under, slider } = this.parts;
    if (slider.hidden) return;
    const move = (event) => {
      const box = under.getBoundingClientRect();
      slider.value = (100 * (event.clientX - box.left)) / box.width;
      this.#split();
    };
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    move(start);
  }
}

function draw(canvas, image) {
  Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
}

/** The pixels of a region: `width * height * 4` bytes. */
export function pixelsOf(image, [x, y, width, height]) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, x, y, width, height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Standard deviation of each pixel over several images, a mean of the three channels, in levels. */
export function deviation(images, region) {
  const all = images.map((image) => pixelsOf(image, region));
  return map(region, (at) => {
    let sum = 0;
    for (let channel = 0; channel < 3; channel++) {
      const values = all.map((pixels) => pixels[at + channel]);
      const mean = values.reduce((a, b) => a + b) / values.length;
      sum += Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
    }
    return sum / 3;
  });
}

/** Absolute difference of two images at each pixel, a mean of the three channels, in levels. */
export function difference(one, other, region) {
  const a = pixelsOf(one, region), b = pixelsOf(other, region);
  return map(region, (at) => (Math.abs(a[at] - b[at]) + Math.abs(a[at + 1] - b[at + 1]) + Math.abs(a[at + 2] - b[at + 2])) / 3);
}

export const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
export const largest = (values) => values.reduce((a, b) => Math.max(a, b), 0);

function map([, , width, height], value) {
  return Float32Array.from({ length: width * height }, (_, index) => value(index * 4));
}

/** Colours from transparent yellow to opaque red. */
function heat(values) {
  const top = Math.max(largest(values), 1);
  const out = new Uint8ClampedArray(values.length * 4);
  values.forEach((value, index) => {
    const share = value / top;
    out.set([255, 220 * (1 - share), 0, 40 + 190 * share], index * 4);
  });
  return out;
}

/** Draw the surroundings of a region, twice its size, into a square canvas. */
export function drawCrop(canvas, image, [x, y, width, height]) {
  const side = Math.min(Math.max(width, height) * 2, image.width, image.height);
  const left = Math.min(Math.max(x + width / 2 - side / 2, 0), image.width - side);
  const top = Math.min(Math.max(y + height / 2 - side / 2, 0), image.height - side);
  canvas.width = canvas.height = 192;
  canvas.getContext("2d").drawImage(image, left, top, side, side, 0, 0, 192, 192);
}
