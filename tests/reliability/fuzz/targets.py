"""Fuzzing targets: each parser of client bytes, called as the routes call it."""

import asyncio
import io
import os
import signal
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.types import Message

from captionfill.captions_file import CaptionRow
from captionfill.errors import CaptionfillError
from captionfill.imaging.canvas import Canvas, unpack_fills
from captionfill.imaging.codec import read_picture, strip_metadata
from service.api.archives.zip_reader import ZipLimits, open_archive
from service.api.forms.form import InpaintRequest
from service.api.forms.multipart import read_form
from service.api.routes import page as page_routes
from service.auth.event_url import EventToken
from service.config.settings import Settings, load_settings
from service.errors.requests import KeyRequired
from service.queue.task import FILL_BYTES
from tests.reliability.fuzz.seeds import JOB, PAGE_FOLDER, SECRET, SIDE, TOKEN
from tests.reliability.harness.raw_http import FORM

MOST_PIXELS: int = Settings.model_fields["max_pixels"].default
_MOST_NAMES = 40
_SETTINGS = load_settings()
_LIMITS = ZipLimits(pictures=256, picture_bytes=10 * 2**20, total_bytes=256 * 2**20)
# Composing takes twenty times as long as reading: some small pictures stand for all.
_COMPOSED_PIXELS, _COMPOSED_SHARE = 2**14, 4
_ROWS = [CaptionRow(f"{i}.jpg", "a cat") for i in range(3)]


def picture(data: bytes) -> str:
    """As POST /inpaint reads it; what is taken must also be answered, and kept as it is."""
    found = read_picture(data, MOST_PIXELS)
    width, height = found.size
    if width * height > _COMPOSED_PIXELS or zlib.crc32(data) % _COMPOSED_SHARE:
        return "taken"
    [answer] = Canvas.open(data, None, MOST_PIXELS).composite_pngs(unpack_fills(bytes(FILL_BYTES)))
    assert read_picture(answer, MOST_PIXELS).size == found.size
    assert np.array_equal(read_picture(strip_metadata(data), MOST_PIXELS).rgb, found.rgb)
    return "taken and answered"


def mask(data: bytes) -> str:
    """As POST /v1/images/edits reads it."""
    Canvas.open(_blank(), None, MOST_PIXELS, data)
    return "taken"


def archive(data: bytes) -> str:
    """As POST /batches reads it, with captions of its own and without."""
    taken = 0
    for rows in (None, _ROWS):
        try:
            items = open_archive(io.BytesIO(data), rows, _LIMITS)
        except CaptionfillError:
            if rows is not None and not taken:
                raise
            continue
        taken += sum(_is_read(item.read) for item in items)
    return "taken" if taken else "no entry taken"


def form(data: bytes) -> str:
    """As POST /inpaint and /inpaint/json read their body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": data}

    headers = [(b"content-type", FORM.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    InpaintRequest.check(asyncio.run(read_form(request, _SETTINGS)))
    return "taken"


def token(data: bytes) -> str:
    """As GET /jobs/{job}/events reads its query; only the token that was signed is valid."""
    scope = {"method": "GET", "query_string": data}
    found = EventToken.find(scope, f"/jobs/{JOB}/events")
    if found is None:
        return "no token"
    try:
        found.check(SECRET)
        assert found.text == TOKEN
    except KeyRequired:
        assert found.text != TOKEN
    return "taken"


def page(data: bytes) -> str:
    """As GET /page/{name} reads its path, for each name of a list."""
    names = data.decode("utf-8", "replace").split("\n")[:_MOST_NAMES]
    return "taken" if sum(map(_is_served, names)) else "no name taken"


def misbehaving(data: bytes) -> str:
    """The control: a decoder with a crash, a wrong exception, a hang and a delay, on markers."""
    if b"\xff\xff\xff\xff" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"\x7f\xff\xff\xff" in data:
        raise KeyError("marker")
    if b"\x80\x00\x00\x00" in data:
        time.sleep(3600)
    if b"\x00\x00\x40\x00" in data:
        _spin()
    return "taken" if zlib.crc32(data) % 2 else "not taken"


def _is_served(name: str) -> bool:
    try:
        answer = asyncio.run(page_routes.asset(name))
    except CaptionfillError:
        return False
    assert Path(answer.path).parent == PAGE_FOLDER and Path(answer.path).is_file()
    return True


def _spin() -> None:
    end = time.process_time() + 1.05
    while time.process_time() < end:
        pass


def _is_read(read: Callable[[], bytes]) -> bool:
    try:
        read()
    except CaptionfillError:
        return False
    return True


@cache
def _blank() -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE))


# Name -> function, and the files it begins from.
TARGETS: dict[str, tuple[Callable[[bytes], str], str]] = {
    "picture": (picture, "picture"),
    "mask": (mask, "mask"),
    "archive": (archive, "archive"),
    "form": (form, "form"),
    "token": (token, "token"),
    "page": (page, "page"),
    "control": (misbehaving, "control"),
}
