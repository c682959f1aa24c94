// The square to fill: moved and sized by pointer, keyboard and number fields.

const SMALLEST = 4; // pixels; the service's own limit

/** Limits of a region in an image, as the service has them. */
export function clampRegion({ x, y, side }, width, height) {
  const largest = Math.max(SMALLEST, Math.floor((Math.min(width, height) * 3) / 4));
  side = Math.round(Math.min(Math.max(side, SMALLEST), largest));
  return {
    x: Math.round(Math.min(Math.max(x, 0), width - side)),
    y: Math.round(Math.min(Math.max(y, 0), height - side)),
    side,
  };
}

/** The central half of an image. */
export function centralRegion(width, height) {
  const side = Math.floor(Math.min(width, height) / 2);
  return { x: Math.floor((width - side) / 2), y: Math.floor((height - side) / 2), side };
}

export class RegionEditor {
  /**
   * @param {HTMLImageElement} picture the image, as shown
   * @param {HTMLElement} box placed over it
   * @param {{left: HTMLInputElement, top: HTMLInputElement, side: HTMLInputElement}} fields
   * @param {(region: {x: number, y: number, side: number}) => void} onChange
   */
  constructor(picture, box, fields, onChange) {
    Object.assign(this, { picture, box, fields, onChange, value: { x: 0, y: 0, side: 32 } });
    box.addEventListener("pointerdown", (event) => this.#startDrag(event));
    box.addEventListener("keydown", (event) => this.#key(event));
    for (const field of Object.values(fields)) {
      field.addEventListener("change", () =>
        this.set({ x: +fields.left.value, y: +fields.top.value, side: +fields.side.value }));
    }
    new ResizeObserver(() => this.#place()).observe(picture);
  }

  set(region) {
    const { naturalWidth: width, naturalHeight: height } = this.picture;
    this.value = clampRegion(region, width, height);
    const { x, y, side } = this.value;
    Object.assign(this.fields.left, { value: x, max: width - side });
    Object.assign(this.fields.top, { value: y, max: height - side });
    this.fields.side.value = side;
    this.box.setAttribute("aria-label", `Region to fill: ${side} by ${side} pixels, ${x} from the left, ${y} from the top`);
    this.#place();
    this.onChange(this.value);
  }

  #place() {
    const { naturalWidth: width, naturalHeight: height } = this.picture;
    if (!width) return;
    const { x, y, side } = this.value;
    Object.assign(this.box.style, {
      left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%`,
      width: `${(100 * side) / width}%`, height: `${(100 * side) / height}%`,
    });
  }

  #startDrag(event) {
    event.preventDefault();
    this.box.focus();
    this.box.setPointerCapture(event.pointerId);
    const start = { ...this.value, clientX: event.clientX, clientY: event.clientY };
    const corner = event.target.dataset?.corner;
    const scale = this.picture.naturalWidth / this.picture.clientWidth;
    const move = (now) => {
      const dx = (now.clientX - start.clientX) * scale;
      const dy = (now.clientY - start.clientY) * scale;
      this.set(corner ? resized(start, corner, dx, dy, this.picture) : { ...start, x: start.x + dx, y: start.y + dy });
    };
    const end = () => {
      this.box.removeEventListener("pointermove", move);
      this.box.removeEventListener("pointerup", end);
      this.box.removeEventListener("pointercancel", end);
    };
    this.box.addEventListener("pointermove", move);
    this.box.addEventListener("pointerup", end);
    this.box.addEventListener("pointercancel", end);
  }

  #key(event) {
    const step = event.shiftKey ? 10 : 1;
    const { x, y, side } = this.value;
    const next = {
      ArrowLeft: { x: x - step, y, side }, ArrowRight: { x: x + step, y, side },
      ArrowUp: { x, y: y - step, side }, ArrowDown: { x, y: y + step, side },
      "+": { x, y, side: side + step }, "=": { x, y, side: side + step },
      "-": { x, y, side: side - step }, _: { x, y, side: side - step },
    }[event.key];
    if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.set(next);
  }
}

/** A square after one of its corners was dragged; the opposite corner stays where it is. */
function resized({ x, y, side }, corner, dx, dy, { naturalWidth: width, naturalHeight: height }) {
  const west = corner.includes("w"), north = corner.includes("n");
  const grown = side + ((west ? -dx : dx) + (north ? -dy : dy)) / 2;
  const room = Math.min(west ? x + side : width - x, north ? y + side : height - y);
  const next = clampRegion({ x: 0, y: 0, side: Math.min(grown, room) }, width, height).side;
  return { x: west ? x + side - next : x, y: north ? y + side - next : y, side: next };
}
