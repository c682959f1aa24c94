"""The demo fills as the service does."""

import base64
import random
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.demo.site.comparison import (
    CAPTIONS,
    cosines,
    example_windows,
    fill_by_service,
    fill_in_browser,
    levels_apart,
)

FILL = """async ({ photo, caption, options }) => {
  const blob = new Blob([Uint8Array.from(atob(photo), (character) => character.charCodeAt(0))]);
  const { images, others, ...rest } = await inpainter.fill(blob, caption, options);
  const encode = async (png) => {
    const bytes = new Uint8Array(await png.arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  };
  const encodeAll = (list) => Promise.all(list.map(encode));
  return { ...rest, images: await encodeAll(images), others: await encodeAll(others) };
}"""


@pytest.fixture(scope="module")
def windows():
    return example_windows(len(CAPTIONS))


@pytest.fixture(scope="module")
def by_service(inpainter, windows):
    return fill_by_service(inpainter, windows, CAPTIONS)


def fill(page, photo, caption, **options):
    out = BytesIO()
    photo.save(out, "PNG")
    data = {"photo": base64.b64encode(out.getvalue()).decode(), "caption": caption}
    answer = page.evaluate(FILL, data | {"options": options})
    for name in ("images", "others"):
        images = [Image.open(BytesIO(base64.b64decode(one))) for one in answer[name]]
        answer[name] = [np.asarray(image.convert("RGB")).astype(int) for image in images]
    return answer


def test_a_vector_gives_the_fill_of_the_service(module, windows, by_service):
    some = slice(24)
    made = fill_in_browser(module, windows[some], CAPTIONS[some], by_service.vectors[some])
    apart = np.abs(made.fills.astype(int) - by_service.fills[some])
    assert apart.max() <= 2
    np.testing.assert_allclose(made.scores, by_service.scores[some], atol=0.005)


def test_quantised_vectors_change_fills_little(module, windows, by_service):
    made = fill_in_browser(module, windows, CAPTIONS)
    assert cosines(made, by_service).min() > 0.998
    apart = levels_apart(made, by_service)
    assert apart.mean() < 1 and (apart > 2).mean() < 0.1


def test_captions_are_tokenized_as_by_the_service(module, inpainter):
    letters = "abc XYZéüßñ ,.!?'-0123456789 日本😀ÀİŁØœ½•–—“”ﬁ\u0301\u200b\u00a0"
    rng = random.Random(0)
    captions = ["", "[MASK] token", "A" * 300, "x " * 400]
    captions += ["".join(rng.choices(letters, k=rng.randint(1, 60))) for _ in range(200)]
    script = "(captions) => captions.map((one) => inpainter.encoder.tokenizer.encode(one).ids)"
    expected = [inpainter.encoder.model.tokenize(one) for one in captions]
    assert module.evaluate(script, captions) == expected


def test_the_site_is_a_package(module):
    script = """async () => {
      const { exports, type } = await (await fetch("./demo/package.json")).json();
      const names = Object.keys(await import(`./demo/${exports}`));
      return { type, names };
    }"""
    assert module.evaluate(script) == {"type": "module", "names": ["Inpainter"]}


@pytest.fixture
def photo():
    levels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    return Image.fromarray(levels).resize((280, 180), Image.Resampling.BICUBIC)


def test_a_photo_is_filled_as_by_the_service(module, inpainter, photo):
    region = [150, 60, 70, 48]
    made = fill(module, photo, "a  dog on\tthe beach", region=region, seed=7, n=2, compare="a cat")
    expected = inpainter.fill(
        photo, "a dog on the beach", region=region, seed=7, n=2, compare="a cat", detail="none"
    )
    assert made["seeds"] == expected.seeds and made["region"] == region
    assert np.allclose(made["scores"], expected.scores, atol=0.02)
    x, y, width, height = region
    before = np.asarray(photo).astype(int)
    pairs = [*zip(made["images"], expected.images, strict=True)]
    pairs += zip(made["others"], expected.others, strict=True)
    for image, wanted in pairs:
        assert np.abs(image - np.asarray(wanted)).mean() < 1
        image[y : y + height, x : x + width] = before[y : y + height, x : x + width]
        assert np.array_equal(image, before)


def test_what_lies_in_the_hole_is_not_read(module, photo):
    pixels = np.asarray(photo).copy()
    pixels[50:114, 80:144] = 255 - pixels[50:114, 80:144]
    options = {"region": [80, 50, 64, 64], "seed": 1}
    first, second = (
        fill(module, one, "a dog", **options)["images"][0]
        for one in (photo, Image.fromarray(pixels))
    )
    assert np.array_equal(first[50:114, 80:144], second[50:114, 80:144])


def test_temperature_zero_ignores_the_seed(module, photo):
    made = fill(module, photo, "a dog", seed=2**32 - 1, n=2, temperature=0)
    assert sorted(made["seeds"]) == [0, 2**32 - 1]
    assert np.array_equal(*made["images"])


@pytest.mark.parametrize(
    ("caption", "options", "says"),
    [
        (" \n", {}, "blank"),
        ("a" * 1001, {}, "more than 1000"),
        ("a\x07dog", {}, "control characters"),
        ("a dog", {"seed": -1}, "seed"),
        ("a dog", {"n": 9}, "1 to 8"),
        ("a dog", {"temperature": 1.5}, "temperature"),
        ("a dog", {"region": [0, 0, 3, 3]}, "at least 4"),
        ("a dog", {"region": [250, 0, 40, 40]}, "leaves the photo"),
    ],
)
def test_bad_arguments_are_refused_in_words(module, photo, caption, options, says):
    with pytest.raises(Exception, match=f"RangeError.*{says}"):
        fill(module, photo, caption, **options)


def test_captions_beyond_the_encoder_are_reported(module, inpainter, photo):
    made = fill(module, photo, "word " * 190 + "end. " * 10)
    assert (made["truncated"], made["unknown"]) == (False, False)
    made = fill(module, photo, "1, " * 300)
    assert made["truncated"]
    assert fill(module, photo, "😀")["unknown"]
