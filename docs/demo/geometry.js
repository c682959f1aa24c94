// The window of a photo that the generator reads, as `captionfill.imaging.canvas` computes it.
//
// Pixels are RGBA, four bytes each, in rows from the top. Regions are `[x, y, width, height]`.

export const SIZE = 64, HOLE = 32, EDGE = 16;
const MIN_SIDE = 64, MIN_REGION = 4;

/**
 * Check a region of a photo.
 * @throws {RangeError} not whole numbers, outside the photo, too small or too large
 */
export function checkRegion([x, y, width, height], photo) {
  const shorter = Math.min(photo.width, photo.height), longest = Math.floor((shorter * 3) / 4);
  if (shorter < MIN_SIDE) throw new RangeError(`The photo is ${photo.width}×${photo.height}; both sides need at least ${MIN_SIDE} pixels.`);
  if (![x, y, width, height].every((value) => Number.isInteger(value) && value >= 0)) throw new RangeError("A region is x, y, width and height in whole pixels.");
  if (Math.min(width, height) < MIN_REGION) throw new RangeError(`Each side of the region must be at least ${MIN_REGION} pixels.`);
  if (Math.max(width, height) > longest) throw new RangeError(`Each side of the region must be at most ${longest} pixels here.`);
  if (x + width > photo.width || y + height > photo.height) throw new RangeError("The region leaves the photo.");
}

/** The smallest square centred on a region, which may reach beyond the photo. */
export function holeOf([x, y, width, height]) {
  const side = Math.max(width, height);
  return { x: x + Math.floor((width - side) / 2), y: y + Math.floor((height - side) / 2), side };
}

/**
 * Scale the window around a region to 64×64 and set its hole to zero. No pixel of the hole is used.
 *
 * A triangle filter is applied to the visible pixels alone. Where the hole is 32×32 every pixel
 * keeps its value. Outside of the photo the nearest visible pixel is repeated.
 * @param {(x: number, y: number, width: number, height: number) => Uint8ClampedArray} read
 * @returns {Uint8ClampedArray} of 64×64 pixels
 */
export function extractContext(read, photo, region) {
  const hole = holeOf(region), side = 2 * hole.side;
  const down = axisWeights(hole.y - hole.side / 2, side, photo.height);
  const across = axisWeights(hole.x - hole.side / 2, side, photo.width);
  const pixels = read(across.first, down.first, across.span, down.span);
  const cells = new Uint8ClampedArray(SIZE * SIZE * 4);
  const known = new Uint8Array(SIZE * SIZE);
  for (let row = 0; row < SIZE; row++) {
    const line = sumRows(pixels, across, down, row, hole);
    for (let column = 0; column < SIZE; column++) {
      const at = row * SIZE + column;
      known[at] = setCell(cells.subarray(at * 4, at * 4 + 4), line, across.rows[column]);
    }
  }
  repeatNearest(cells, known);
  return cells;
}

/** Triangle-filter weights of one axis: for each of 64 cells, where they start and what they are. */
function axisWeights(start, side, length) {
  const scale = side / SIZE, reach = Math.max(scale, 1);
  const centre = (cell) => start + (cell + 0.5) * scale;
  const first = Math.max(0, Math.floor(centre(0) - reach));
  const span = Math.min(length, Math.ceil(centre(SIZE - 1) + reach) + 1) - first;
  const rows = Array.from({ length: SIZE }, (_, cell) => {
    const from = Math.max(0, Math.floor(centre(cell) - reach - 0.5) - first);
    const to = Math.min(span, Math.ceil(centre(cell) + reach - 0.5) - first + 1);
    const values = [];
    for (let i = from; i < to; i++) values.push(Math.max(0, 1 - Math.abs(centre(cell) - (first + i + 0.5)) / reach));
    return { from, values };
  });
  return { first, span, rows };
}

/** Weighted sums of the visible pixels of each column, and of their weights, for one row of cells. */
function sumRows(pixels, across, down, row, hole) {
  const sums = new Float64Array(across.span * 3), mass = new Float64Array(across.span);
  const { from, values } = down.rows[row];
  values.forEach((weight, i) => {
    if (weight === 0) return;
    const y = from + i, hidden = isWithin(down.first + y, hole.y, hole.side);
    for (let x = 0, at = y * across.span * 4; x < across.span; x++, at += 4) {
      if (hidden && isWithin(across.first + x, hole.x, hole.side)) continue;
      mass[x] += weight;
      for (let channel = 0; channel < 3; channel++) sums[3 * x + channel] += weight * pixels[at + channel];
    }
  });
  return { sums, mass };
}

const isWithin = (position, start, side) => position >= start && position < start + side;

/** Write a cell's colour; returns whether any visible pixel was near. */
function setCell(cell, { sums, mass }, { from, values }) {
  const total = [0, 0, 0];
  let weights = 0;
  values.forEach((weight, i) => {
    weights += weight * mass[from + i];
    for (let channel = 0; channel < 3; channel++) total[channel] += weight * sums[3 * (from + i) + channel];
  });
  if (weights <= 1e-9) return 0;
  cell.set([...total.map((sum) => sum / weights), 255]); // rounds to nearest, halves to even
  return 1;
}

function inHole(at) {
  return isWithin(Math.floor(at / SIZE), EDGE, HOLE) && isWithin(at % SIZE, EDGE, HOLE);
}

/** Copy to every cell outside of the photo the colour of the nearest known one, and clear the hole. */
function repeatNearest(cells, known) {
  const colour = (at) => cells.subarray(at * 4, at * 4 + 4);
  const sources = [], targets = [];
  known.forEach((isKnown, at) => {
    if (inHole(at)) colour(at).set([0, 0, 0, 255]);
    else (isKnown ? sources : targets).push(at);
  });
  for (const at of targets) {
    let best = -1, least = Infinity;
    for (const source of sources) {
      const distance = (Math.floor(at / SIZE) - Math.floor(source / SIZE)) ** 2 + ((at % SIZE) - (source % SIZE)) ** 2;
      if (distance < least) [best, least] = [source, distance];
    }
    colour(at).set(colour(best));
  }
}
