"""Seed files: valid files of every accepted format, and of some others."""

import hmac
import json
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

import service.api
from tests.helpers.archives import zip_bytes
from tests.helpers.images import encode_image
from tests.reliability.harness.raw_http import Fields, multipart_form

SIDE = 72
JOB, SECRET = "0" * 32, "1" * 32
_EXPIRES = "9" * 12
_SIGNED = hmac.new(SECRET.encode(), f"{JOB}\n{_EXPIRES}".encode(), "sha256").hexdigest()
TOKEN = f"{_EXPIRES}.{_SIGNED}"
PAGE_FOLDER = Path(service.api.__file__).parent / "page"


def picture_files() -> list[bytes]:
    """PNG, JPEG, WebP and MPO of many modes and options, and two photographs as cameras left them.

    The content is a corner of a photograph, so that no decoder has it easy.
    """
    photo = _photo()
    made = [encode_image(photo, **options) for options in (*_PNGS, *_JPEGS, *_WEBPS)]
    made += [encode_image(_as(photo, mode), "PNG") for mode in ("1", "L", "LA", "P", "RGBA")]
    made += [encode_image(_as(photo, mode), "JPEG") for mode in ("L", "CMYK")]
    made += [encode_image(_as(photo, "RGBA"), "WEBP", lossless=lossless) for lossless in (0, 1)]
    made += [encode_image(photo, name) for name in ("GIF", "BMP", "TIFF")]
    deep = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    clear = encode_image(_as(photo, "P"), "PNG", transparency=3)
    return [*made, encode_image(deep, "PNG"), clear, *_taken()]


def mask_files() -> list[bytes]:
    """Masks of the same size, with a hole in the middle or a soft one at the edge."""
    alpha = np.full((SIDE, SIDE), 255, np.uint8)
    alpha[20:50, 24:40] = 0
    soft = np.clip(np.indices((SIDE, SIDE))[0] * 6, 0, 255).astype(np.uint8)
    masks = [_with_alpha(cells, mode) for cells in (alpha, soft) for mode in ("RGBA", "LA")]
    formats = [(mask, kind) for mask in masks for kind in ("PNG", "WEBP")]
    return [encode_image(mask, kind, **_exact(kind)) for mask, kind in formats]


def archive_files() -> list[bytes]:
    """Zips of pictures with captions: stored, deflated, with folders, comments, both files."""
    photo = encode_image(_photo(), "JPEG")
    rows = [{"file_name": f"{i}.jpg", "caption": f"a cat, number {i}"} for i in range(3)]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    table = b"file_name,caption\n" + b"".join(b"%d.jpg,a cat\n" % i for i in range(3))
    pictures = {f"{i}.jpg": photo for i in range(3)}
    return [
        zip_bytes({**pictures, "metadata.jsonl": lines}, zipfile.ZIP_STORED),
        zip_bytes(
            {**pictures, "metadata.jsonl": lines}, zipfile.ZIP_DEFLATED, comment=b"PK\5\6" * 9
        ),
        zip_bytes({**pictures, "metadata.csv": table}, zipfile.ZIP_DEFLATED),
        zip_bytes(
            {f"a/{name}": data for name, data in {**pictures, "metadata.csv": table}.items()}
        ),
        zip_bytes({**pictures, "../metadata.jsonl": lines, "metadata.jsonl": lines}),
    ]


def form_bodies() -> list[bytes]:
    """Forms with a picture, with every field, and with fields of several bytes a letter."""
    image = encode_image(_photo(), "JPEG", quality=30)
    plain: Fields = [("image", image), ("caption", "a cat")]
    full = {"seed": "7", "temperature": "0.5", "region": "8,8,40,40", "n": "2", "compare": "a dog"}
    return [
        multipart_form(plain),
        multipart_form([*plain, *full.items()], "photo.jpg"),
        multipart_form([("caption", "eine Käse-Katze \U0001f408"), ("image", image)]),
    ]


def queries() -> list[bytes]:
    """Queries with a signed token, alone and beside others."""
    texts = (f"token={TOKEN}", f"a=1&token={TOKEN}&b=%20", f"token={_EXPIRES}.{'ab' * 32}")
    return [text.encode() for text in texts]


def page_names() -> list[bytes]:
    """Lists of names of the page's files, and of files that are not to be served."""
    names = sorted(path.name for path in PAGE_FOLDER.iterdir())
    return ["\n".join(some).encode() for some in (names, ["../app.py", *names[:3], ".css"])]


def _photo() -> Image.Image:
    with Image.open(_package("skimage") / "data" / "chelsea.png") as photo:
        return photo.crop((100, 60, 100 + SIDE, 60 + SIDE))


def _taken() -> list[bytes]:
    """Photographs byte for byte as their authors published them."""
    folder = _package("sklearn") / "datasets" / "images"
    return [(folder / name).read_bytes() for name in ("china.jpg", "flower.jpg")]


def _package(name: str) -> Path:
    """Where a package lies. It is not imported: that would take longer than a thousand inputs."""
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _as(photo: Image.Image, mode: str) -> Image.Image:
    if mode not in ("LA", "RGBA"):
        return photo.convert(mode)
    return _with_alpha(np.asarray(photo)[..., 0], mode)


def _with_alpha(alpha: np.ndarray, mode: str) -> Image.Image:
    image = Image.new(mode.removesuffix("A"), alpha.shape[::-1], 90)
    image.putalpha(Image.fromarray(np.ascontiguousarray(alpha)))
    return image


def _exact(kind: str) -> dict[str, bool]:
    return {"lossless": True, "exact": True} if kind == "WEBP" else {}


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, "a cat"
    return exif.tobytes()


def _text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a cat", zip=True)
    text.add_itxt("Description", "a cat 🐈", "en", "Beschreibung", zip=True)
    return text


_DATED = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_PROFILE = _DATED[:24] + bytes(12) + _DATED[36:]  # without its date: seeds are always the same
_FRAMES: dict[str, Any] = {
    "save_all": True,
    "append_images": [Image.new("RGB", (SIDE, SIDE), "teal")],
}
_PNGS: list[dict[str, Any]] = [
    {"format": "PNG"},
    {"format": "PNG", "icc_profile": _PROFILE, "pnginfo": _text(), "exif": _exif(6)},
    {"format": "PNG", "compress_level": 0},
    {"format": "PNG", **_FRAMES},
]
_JPEGS: list[dict[str, Any]] = [
    {"format": "JPEG", "quality": 90},
    {"format": "JPEG", "progressive": True, "exif": _exif(8), "icc_profile": _PROFILE},
    {"format": "JPEG", "subsampling": 0, "restart_marker_rows": 1, "optimize": True},
    {"format": "JPEG", "keep_rgb": True, "comment": b"a cat"},
    *({"format": "JPEG", "quality": 40, "exif": _exif(turn)} for turn in (2, 3, 5, 7)),
    {"format": "MPO", **_FRAMES},
]
_WEBPS: list[dict[str, Any]] = [
    {"format": "WEBP"},
    {"format": "WEBP", "lossless": True, "exif": _exif(5), "icc_profile": _PROFILE},
    {"format": "WEBP", "quality": 20, "method": 0},
    {"format": "WEBP", **_FRAMES},
]
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "picture": picture_files,
    "mask": mask_files,
    "archive": archive_files,
    "form": form_bodies,
    "token": queries,
    "page": page_names,
    "control": lambda: [bytes(range(256)) * 4, bytes(range(255, -1, -1)) * 4],
}
