"""Requests of the load: pictures, captions that repeat or are new, and their encodings."""

import base64
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import count
from pathlib import Path

from PIL import Image

from tests.reliability.harness.raw_http import FORM, multipart_form

# Of a request: the picture, the caption, the seed. Returns the media type and the body.
Encode = Callable[[bytes, str, int], tuple[str, bytes]]
_SUBJECTS = ("dog", "cat", "horse", "bird", "boy", "girl", "woman", "man")
_PLACES = ("on the beach", "in the snow")
REPEATED = [f"a {subject} runs {place}" for subject in _SUBJECTS for place in _PLACES]
LARGE = (4000, 3000)


def encode_form(image: bytes, caption: str, seed: int) -> tuple[str, bytes]:
    return FORM, multipart_form([("image", image), ("caption", caption), ("seed", str(seed))])


def encode_json(image: bytes, caption: str, seed: int) -> tuple[str, bytes]:
    fields = {"image": base64.b64encode(image).decode(), "caption": caption, "seed": seed}
    return "application/json", json.dumps(fields).encode()


def captions(kind: str, start: int = 0) -> Iterator[str]:
    """Sixteen captions in turn ("repeated"), or a caption that was never sent before ("new")."""
    for number in count(start):
        caption = REPEATED[number % len(REPEATED)]
        yield caption if kind == "repeated" else f"{caption}, picture {number}"


def small_picture() -> bytes:
    """A photo of 64×64 as PNG."""
    return _encode(_photo().resize((64, 64), Image.Resampling.LANCZOS), "PNG")


def large_picture() -> bytes:
    """A JPEG of 12 megapixels with the detail of a photo: one photo beside and above itself."""
    tile = _photo()
    canvas = Image.new("RGB", LARGE)
    for left in range(0, LARGE[0], tile.width):
        for top in range(0, LARGE[1], tile.height):
            canvas.paste(tile, (left, top))
    return _encode(canvas, "JPEG", quality=90)


def _photo() -> Image.Image:
    import skimage.data

    with Image.open(Path(skimage.data.__file__).parent / "chelsea.png") as cat:
        return cat.convert("RGB")


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


PICTURES = {"64×64": small_picture, "12 MP": large_picture}
