"""The demo beside the service: `python -m tests.demo.site.comparison` prints the docs' figures.

Fills the examples' windows by captions' vectors from the service's encoder and from the demo's,
which has weights of 8 bits.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captionfill import Inpainter
from captionfill.imaging.codec import MAX_PIXELS, load_picture
from captionfill.imaging.context import extract_context
from captionfill.imaging.region import Region
from tests.demo.site.static_server import serve_folder
from tests.helpers.browser import launch_browser

PAGE = Path("service/api/page")
LOAD = """async () => {
  const { Inpainter } = await import("./captionfill.js");
  window.inpainter = await Inpainter.load();
}"""
CAPTIONS = [
    f"{subject} {place}"
    for subject in (
        "a dog runs", "two children play", "a man in a red shirt", "a woman with a white hat",
        "a black cat sleeps", "a yellow bus stands", "an old stone house", "a bird flies",
        "people walk", "a brown horse", "a bowl of fruit", "a boy on a bicycle",
        "a boat with a blue sail", "snow", "a close-up of a flower",
    )
    for place in (
        "on the beach", "in the grass", "in a city street at night", "by a lake under a blue sky",
    )
]  # fmt: skip

IN_BROWSER = """async ({ windows, captions, vectors, seeds }) => {
  const bytes = (text) => Uint8ClampedArray.from(atob(text), (char) => char.charCodeAt(0));
  const answers = [];
  for (const [i, window] of windows.entries()) {
    const given = vectors && Float32Array.from(vectors[i]);
    const { vector } = given ? { vector: given } : await inpainter.encoder.embed(captions[i]);
    const options = { seeds: [seeds[i]] };
    const { images, scores } = await inpainter.fillWindow(bytes(window), [vector], options);
    answers.push({ vector: [...vector], fill: [...images[0]], score: scores[0] });
  }
  return answers;
}"""


@dataclass(frozen=True)
class Fills:
    """Of one encoder: vectors `(N, 384)`, fills uint8 `(N, 32, 32, 3)`, scores `(N,)`."""

    vectors: np.ndarray
    fills: np.ndarray
    scores: np.ndarray


def example_windows(count: int) -> np.ndarray:
    """Windows of the page's examples in turn, uint8 `(count, 64, 64, 3)`."""
    examples = json.loads((PAGE / "examples.json").read_text(encoding="utf-8"))
    windows = [_example_window(name, *one["region"]) for name, one in examples.items()]
    return np.stack([windows[i % len(windows)] for i in range(count)])


def _example_window(name: str, x: int, y: int, side: int) -> np.ndarray:
    picture = load_picture(PAGE / f"{name}.webp", MAX_PIXELS)
    width, height = picture.size  # the page moves a square into the photo
    return extract_context(
        picture.rgb, Region(min(x, width - side), min(y, height - side), side, side)
    )


def fill_in_browser(page, windows, captions, vectors=None) -> Fills:
    """Fill in a page that has an `inpainter`, by given vectors or its own."""
    data = {
        "windows": [base64.b64encode(_rgba(one).tobytes()).decode() for one in windows],
        "captions": captions,
        "vectors": None if vectors is None else np.asarray(vectors, float).tolist(),
        "seeds": list(range(len(windows))),
    }
    answers = page.evaluate(IN_BROWSER, data)
    fills = np.array([one["fill"] for one in answers], np.uint8).reshape(-1, 32, 32, 4)[..., :3]
    return Fills(
        np.array([one["vector"] for one in answers]),
        fills,
        np.array([one["score"] for one in answers]),
    )


def fill_by_service(inpainter: Inpainter, windows, captions) -> Fills:
    vectors = inpainter.encoder.encode(captions)
    pixels = np.moveaxis(windows, 3, 1)
    fills = inpainter.fill_batch(pixels, vectors, list(range(len(windows))))
    composites = pixels.copy()
    composites[:, :, 16:48, 16:48] = fills
    scores = inpainter.score_batch(composites, vectors)
    return Fills(vectors, np.moveaxis(fills, 1, 3), scores)


def _rgba(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255, np.uint8)], axis=2)


def levels_apart(one: Fills, other: Fills) -> np.ndarray:
    """Absolute differences of the fills in 8-bit levels, int `(N, 32, 32, 3)`."""
    return np.abs(one.fills.astype(int) - other.fills)


def cosines(one: Fills, other: Fills) -> np.ndarray:
    return np.sum(one.vectors * other.vectors, axis=1)


def main() -> None:
    """Print how far the demo's fills are from the service's."""
    windows = example_windows(len(CAPTIONS))
    service = fill_by_service(Inpainter.load(engine="openvino-f32"), windows, CAPTIONS)
    with serve_folder(Path("build/demo")) as server, launch_browser() as browser:
        page = browser.new_page()
        page.goto(f"{server.address}/model.json")
        page.evaluate(LOAD)
        given = fill_in_browser(page, windows, CAPTIONS, service.vectors)
        quantised = fill_in_browser(page, windows, CAPTIONS)
    cosine = cosines(quantised, service)
    print(
        f"{len(CAPTIONS)} captions; cosine of vectors {cosine.mean():.5f}, least {cosine.min():.5f}"
    )
    for name, made in (("given vector", given), ("quantised", quantised)):
        apart = levels_apart(made, service)
        scores = np.abs(made.scores - service.scores)
        print(f"{name}: mean {apart.mean():.3f} levels, largest {apart.max()}, "
              f"99th percentile {np.percentile(apart, 99):.0f}, over 2 {(apart > 2).mean():.2%}, "
              f"scores {scores.max():.4f} apart at most")  # fmt: skip


if __name__ == "__main__":
    main()
