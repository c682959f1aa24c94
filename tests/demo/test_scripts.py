"""The demo's scripts compute what the library and torch do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from captionfill.errors import InvalidRegion
from captionfill.imaging.canvas import Canvas
from captionfill.imaging.region import resolve_region
from tests.helpers.javascript import run_module

FOLDER = Path("docs/demo").resolve()
NOISE = f'import {{ fma, mersenneTwister, seededNoise }} from "{FOLDER.as_uri()}/noise.js";'
GEOMETRY = f"""
  import {{ checkRegion, extractContext }} from "{FOLDER.as_uri()}/geometry.js";
  import {{ placeFill }} from "{FOLDER.as_uri()}/composite.js";
"""
SEEDS = [0, 1, 7, 2**31, 2**32 - 1, *range(1000, 1020)]


def test_the_twister_matches_the_standard():
    # The 10,000th number of the default seed, from the C++ standard, [rand.predef].
    script = "const draw = mersenneTwister(5489); for (let i = 1; i < 10000; i++) draw();"
    assert run_module(NOISE + script + "answer(draw());", None) == 4123659995


def test_noise_equals_that_of_torch():
    script = "answer(data.map((seed) => [...seededNoise(seed, 2164)]));"
    ours = np.array(run_module(NOISE + script, SEEDS), np.float32)
    generators = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    theirs = torch.stack([torch.randn(2164, generator=one) for one in generators]).numpy()
    if torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        assert ours.tobytes() == theirs.tobytes()
    else:
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_sums_of_products_are_rounded_once():
    # The sum 1 + 2**-24 + 2**-60 is above the middle of two float32 numbers; a double loses 2**-60.
    script = "answer(data.map((one) => fma(...one)));"
    tiny = 2.0**-30
    cases = [(tiny, tiny, 1 + 2.0**-24), (tiny, -tiny, 1 + 2.0**-24), (3.0, 0.5, 0.25)]
    assert run_module(NOISE + script, cases) == [1 + 2.0**-23, 1.0, 1.75]


@pytest.fixture(scope="module")
def canvases():
    """Photos with regions of many sizes, some reaching over the edge with their window."""
    rng = np.random.default_rng(0)
    canvases = []
    for k in range(24):
        height, width = (int(side) for side in rng.integers(64, 200, 2))
        low = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8))
        pixels = np.asarray(low.resize((width, height), Image.Resampling.BICUBIC))
        sides = [32, 32] if k % 3 == 0 else rng.integers(4, min(height, width) * 3 // 4 + 1, 2)
        x, y = (
            int(rng.integers(0, room - side + 1))
            for room, side in zip((width, height), sides, strict=True)
        )
        region = x, y, int(sides[0]), int(sides[1])
        canvases.append(Canvas.open(pixels, region, detail="none"))
    return canvases


def rgba(pixels):
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([pixels, opaque], axis=2).ravel().tolist()


def test_windows_equal_those_of_the_library(canvases):
    script = """answer(data.map(({ width, height, region, pixels }) => {
      const read = (x, y, w, h) => Uint8ClampedArray.from({ length: w * h * 4 }, (_, i) =>
        pixels[((y + Math.floor(i / 4 / w)) * width + x + (Math.floor(i / 4) % w)) * 4 + (i % 4)]);
      return [...extractContext(read, { width, height }, region)];
    }));"""
    photos = [
        dict(zip(("width", "height"), one.picture.size, strict=True))
        | {"region": one.region, "pixels": rgba(one.picture.rgb)}
        for one in canvases
    ]
    for canvas, cells in zip(canvases, run_module(GEOMETRY + script, photos), strict=True):
        window = np.array(cells).reshape(64, 64, 4)[..., :3]
        difference = np.abs(window - canvas.window)
        # The library sums by matrix products, in another order: a mean that is a half may be
        # rounded the other way.
        assert difference.max() <= 1 and np.count_nonzero(difference) <= difference.size / 1000
        if canvas.region.width == canvas.region.height == 32:
            assert not difference.any()


def test_fills_are_placed_as_by_the_library(canvases):
    fills = np.random.default_rng(1).integers(0, 256, (len(canvases), 32, 32, 3), np.uint8)
    script = """answer(data.map(([region, fill]) =>
      [...placeFill(Uint8ClampedArray.from(fill), region)]));"""
    cases = [[one.region, rgba(fill)] for one, fill in zip(canvases, fills, strict=True)]
    placed = run_module(GEOMETRY + script, cases)
    for canvas, fill, pixels in zip(canvases, fills, placed, strict=True):
        expected = canvas.composite(fill).rgb[canvas.region.place]
        assert pixels == rgba(expected)


def test_regions_are_refused_as_by_the_library():
    regions = [(0, 0, 3, 4), (0, 0, 76, 10), (95, 0, 6, 6), (90, 90, 10, 10), (0, 95, 5, 6)]
    script = """answer(data.map((region) => {
      try { checkRegion(region, { width: 100, height: 100 }); } catch { return true; }
      return false;
    }));"""

    def is_refused(region):
        try:
            resolve_region(",".join(map(str, region)), (100, 100))
        except InvalidRegion:
            return True
        return False

    assert run_module(GEOMETRY + script, regions) == [is_refused(one) for one in regions]
