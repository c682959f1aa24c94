"""An API or a worker that does something wrong, for suites to prove that they would see it.

`python -m tests.reliability.faulty api|worker FAULT,FAULT`; the faults are the functions here.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from captionfill.imaging import canvas
from captionfill.imaging.codec import Picture
from service.api.inpaint_service import InpaintService
from service.cli.main import main
from tests.helpers.service.stub_model import StubModel
from tests.reliability import painter_worker

EVERY = 10
# Little enough to be found only by a long run; a short one needs a flood.
LEAK = int(os.environ.get("LEAK_KIB", "16")) * 1024
_kept: list[bytes] = []
_turns = count(1)


def wrong_pixel() -> None:
    """Now and then, one pixel of an answer is one level off."""
    write = canvas.write_png

    def written(picture: Picture) -> bytes:
        rgb = picture.rgb.copy()
        rgb[0, 0, 0] ^= next(_turns) % EVERY == 0
        return write(replace(picture, rgb=rgb))

    canvas.write_png = written


def error() -> None:
    """Now and then, a route fails in a way nobody foresaw."""
    _before(InpaintService, "submit", lambda *_: next(_turns) % EVERY or 1 / 0)


def log() -> None:
    """The log tells what a client's picture shows."""
    logger = logging.getLogger("captionfill.api")
    _before(InpaintService, "submit", lambda _, asked: logger.info(asked.task.caption))


def leak_api() -> None:
    """Something of every request stays in the API's memory."""
    _before(InpaintService, "submit", lambda *_: _kept.append(_bulk()))


def leak_worker() -> None:
    """Something of every piece of work stays in the worker's memory."""
    _before(StubModel, "_fill", lambda *_: _kept.append(_bulk()))


def _bulk() -> bytes:
    return b"\1" * LEAK


def _before(kind: type, name: str, act: Callable[..., Any]) -> None:
    whole = getattr(kind, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        act(*args)
        return whole(*args, **named)

    setattr(kind, name, wrapped)


FAULTS = {act.__name__.replace("_", "-"): act for act in
          (wrong_pixel, error, log, leak_api, leak_worker)}  # fmt: skip

if __name__ == "__main__":
    kind, faults = sys.argv[1:]
    for fault in faults.split(","):
        FAULTS[fault]()
    if kind == "worker":
        painter_worker.main(0.0)
    else:
        sys.argv = ["captionfill", "api"]
        main()
